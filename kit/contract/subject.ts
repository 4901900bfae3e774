// SPDX-License-Identifier: Apache-2.0
import type { Duplex } from 'node:stream';

import type { PosixCode } from '../../core/errors/posix-errno.ts';
import type { AddedHardware, Backend } from '../../core/ports/index.ts';
import type { ContractPrograms } from './programs.ts';
import type { ScratchFiles } from './scratch.ts';

/** A backend to be tested, and what the suite has to know of the machine that it serves. Made afresh for every test. */
export interface ContractSubject {
  readonly backend: Backend;
  /** An empty directory in which the agent may do everything; absolute, in the system's own notation. */
  readonly scratchDirectory: string;
  /** The same directory behind the backend's back. */
  readonly scratch: ScratchFiles;
  readonly knows: KnownFacts;
  readonly safe: SafeTargets;
  /**
   * Lets time pass where the backend's clock is moved by hand. Absent for a real one: the suite waits for what has to
   * happen, not for the time.
   */
  readonly passTime?: (ms: number) => Promise<void>;
  /** Has the hypervisor say that this guest goes on as another one; resolves once whoever listens has heard it. Absent: nothing can. */
  readonly announce?: () => Promise<void>;
  /** Has the hypervisor add a processor and memory, and answers what; resolves once whoever listens has heard it. Absent: nothing can. */
  readonly plug?: () => Promise<readonly AddedHardware[]>;
  cleanup(): Promise<void>;
}

/** Facts of the machine. A test whose fact is missing is skipped and says which one it needs. */
export interface KnownFacts {
  /** Programs to run; absent: the tests that run any are skipped. */
  readonly programs?: ContractPrograms;
  /** A user that exists, with the path of the file of keys that it has or would have. */
  readonly user?: { readonly name: string; readonly keys: string };
  /** A mount point that the list of file systems must contain. */
  readonly mountPoint?: string;
  /** A file that is there and that the agent may not open. */
  readonly forbiddenFile?: string;
  /** A directory on a file system that is mounted read-only, and a file in it. */
  readonly readOnlyFile?: string;
  /** Whether `/dev/null`, `/dev/zero` and `/dev/full` are there. */
  readonly memoryDevices?: boolean;
  /** Whether the kernel has memory blocks. */
  readonly memoryBlocks?: boolean;
  /** Name of the loopback interface. */
  readonly loopback?: string;
  readonly hostName?: string;
  /** A channel that can be tried: a method of `channels`, a path for it that is free, and a way to come to it as the host does. */
  readonly channel?: { readonly method: string; readonly path: string; readonly connect: () => Promise<Duplex> };
  /** Codes of this system where they are not the POSIX ones: `{ ENOENT: ['ERROR_FILE_NOT_FOUND', 'ERROR_PATH_NOT_FOUND'] }`. */
  readonly codes?: Readonly<Partial<Record<PosixCode, string | readonly string[]>>>;
}

/** What the suite may really do. Whatever is absent is not done, and the test says so. */
export interface SafeTargets {
  /**
   * File systems to freeze, what lies on others before these; `writable` is an existing directory on it.
   */
  readonly freeze?: readonly { readonly mountPoint: string; readonly writable: string }[];
  /** A directory that stays writable while all of `freeze` is frozen; default the scratch directory. */
  readonly stateDirectory?: string;
  /** Trimming every file system of the machine. */
  readonly trim?: boolean;
  /** Setting the clock. */
  readonly setTime?: boolean;
  /** Shutting down and suspending: the backend only records it. */
  readonly power?: boolean;
  /** A user whose password may be set. */
  readonly passwordOf?: string;
  /** A user whose authorized keys may be replaced. */
  readonly sshKeysOf?: string;
  /** Running the hooks that the machine has, one of them at least, outside of a freeze. */
  readonly hooks?: boolean;
  /** Taking processors and memory blocks off line and back. */
  readonly hotplug?: boolean;
}
