// SPDX-License-Identifier: Apache-2.0
/** The part of the native addon that is about this process (native/linux/process-life.cc). */
export interface ProcessAddon {
  /**
   * fcntl(2)'s write lock on a whole file. `outlives`: it ends with the last reference to what `fd` refers to, not with the process.
   *
   * @throws os error `EAGAIN` while another process has it
   */
  lockFile(fd: number, outlives?: boolean): void;
  /** One datagram to a Unix socket, never waiting; `@name` is abstract. @throws os error */
  sendDatagram(path: string, bytes: Uint8Array): void;
  /** What ps(1), top(1) and `systemctl status` call the process; 15 bytes at most. */
  nameProcess(name: string): void;
  /** From now on the ends of children are taken that this process has not started: as process 1 it has orphans for children. */
  reapOrphans(): void;
  /** Ends the process though threads of the pool are stuck on a dead disk. */
  exitNow(status: number): never;
}

/** `undefined` where the platform has none, or it cannot be loaded: then there are no locks and no syslog, and the agent says so. */
export async function processAddon(): Promise<ProcessAddon | undefined> {
  if (process.platform !== 'linux') return undefined;
  try {
    const { nativeAddon } = await import('../linux/native.ts');
    loaded = nativeAddon() as unknown as ProcessAddon;
    return loaded;
  } catch {
    return undefined;
  }
}

let loaded: ProcessAddon | undefined;

/** Ends the process, whatever is stuck, where there has been anything that could be: `--version` needs no addon. */
export function exit(status: number): never {
  loaded?.exitNow(status);
  process.exit(status);
}
