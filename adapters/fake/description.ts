// SPDX-License-Identifier: Apache-2.0
import type { LogicalProcessor, NetworkInterface, NetworkRoute, SuspendMode, UserSession } from '../../core/ports/index.ts';
import type { FakeCapability } from './capabilities.ts';
import type { UserDescription } from './accounts.ts';
import type { DiskDescription } from './disks.ts';
import type { MountDescription } from './file-systems.ts';
import type { GenerationHookDescription } from './generation.ts';
import type { HookDescription } from './hooks.ts';
import type { HostDescription } from './host.ts';
import type { DeviceKind, Ownership } from './inodes.ts';
import type { MemoryDescription } from './memory.ts';
import type { ProgramFunction } from './programs.ts';

/** A file of the guest: its text, or what else it is. */
export type FileDescription =
  | string
  | (Ownership & { readonly text: string })
  | (Ownership & { readonly bytes: Uint8Array })
  | (Ownership & { readonly generate: () => string })
  | (Ownership & { readonly program: ProgramFunction })
  | (Ownership & { readonly symlink: string })
  | (Ownership & { readonly device: DeviceKind })
  | (Ownership & { readonly fifo: true })
  | (Ownership & { readonly directory: true });

/** In whose name the agent works. */
export interface AgentDescription {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly workingDirectory: string;
  /** `NAME=VALUE` each. */
  readonly environment: readonly string[];
}

/** A guest. Whatever is not said is as in `defaultDescription`; a list that is given replaces the default one. */
export interface MachineDescription {
  /** Real time instead of time by hand. */
  readonly realTime: boolean;
  /** Wall clock at the start, nanoseconds since 1970-01-01 UTC. */
  readonly startTime: bigint;
  readonly hardwareClock: 'present' | 'absent';
  /** A clock of the hypervisor's beside it. */
  readonly hypervisorClock: 'present' | 'absent';
  readonly bootId: string;
  readonly agent: Partial<AgentDescription>;
  readonly without: readonly FakeCapability[];
  /** In mount order; the first is mounted at `/`. */
  readonly mounts: readonly MountDescription[];
  readonly disks: readonly DiskDescription[];
  /** By path, added to the default ones. */
  readonly files: Readonly<Record<string, FileDescription>>;
  readonly users: readonly UserDescription[];
  readonly sessions: readonly UserSession[];
  readonly interfaces: readonly NetworkInterface[];
  readonly routes: readonly NetworkRoute[];
  readonly processors: readonly LogicalProcessor[];
  readonly load: readonly [number, number, number];
  readonly memory: MemoryDescription;
  readonly host: Partial<HostDescription>;
  /** What the operating system knows, and what this machine can. */
  readonly suspend: { readonly modes: readonly SuspendMode[]; readonly able: readonly SuspendMode[] };
  readonly hooks: readonly HookDescription[];
  /** What runs when the guest is restored or copied. */
  readonly generationHooks: readonly GenerationHookDescription[];
  readonly firstPid: number;
}
