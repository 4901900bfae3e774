// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Files behind the backend's back, by absolute path. */
export interface ScratchFiles {
  write(path: string, data: string | Uint8Array, mode?: number): Promise<void>;
  read(path: string): Promise<Uint8Array>;
  /** Permission bits; `undefined` where the system has none. */
  mode(path: string): Promise<number | undefined>;
  directory(path: string): Promise<void>;
  /** Absent where the system has no symbolic links that the agent may make. */
  readonly symlink?: (target: string, path: string) => Promise<void>;
  /** Absent where the system has no FIFOs. */
  readonly fifo?: (path: string) => Promise<void>;
}

const run = promisify(execFile);

/** The real files of a POSIX system. Makes FIFOs with mkfifo(1). */
export const scratchOnDisk: ScratchFiles = {
  write: async (path, data, mode) => {
    await writeFile(path, data);
    if (mode !== undefined) await chmod(path, mode);
  },
  read: (path) => readFile(path),
  mode: async (path) => (await stat(path)).mode & 0o7777,
  directory: async (path) => void (await mkdir(path, { recursive: true })),
  symlink: (target, path) => symlink(target, path),
  fifo: async (path) => void (await run('mkfifo', [path])),
};
