// SPDX-License-Identifier: Apache-2.0
import { nativeAddon, type NativeAddon } from '../native.ts';

/** What native/linux/uevents.cc offers. */
export interface KernelLogAddon {
  /** A descriptor that reads what the kernel logs from now on. @throws os error: `EPERM` in a container */
  openKernelLog(): number;
  /** Owns `fd`. Calls back for a fork of this machine alone. */
  readonly KernelLogReader: new (fd: number, onMatch: (record: Uint8Array) => void) => { close(): void };
}

/**
 * What the kernel's log says of a fork of this machine: that its randomness was stirred. All that kernels before `NEW_VMGENID` say.
 * Answers how to stop; `undefined` where this process may not read it.
 */
export function listenForFork(listener: () => void, addon: KernelLogAddon = nativeAddon() as NativeAddon & KernelLogAddon): (() => void) | undefined {
  let fd: number;
  try {
    fd = addon.openKernelLog();
  } catch {
    return undefined;
  }
  const reader = new addon.KernelLogReader(fd, listener);
  return () => reader.close();
}
