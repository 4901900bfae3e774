// SPDX-License-Identifier: Apache-2.0
import type { KeptDescriptors } from '../../../core/ports/keeper.ts';
import { nativeAddon, type NativeAddon } from '../native.ts';

/** What native/linux/uevents.cc offers. */
export interface KernelLogAddon {
  /** A descriptor that reads what the kernel logs from now on. @throws os error: `EPERM` in a container */
  openKernelLog(): number;
  /** Owns `fd`. Calls back for a fork of this machine alone. */
  readonly KernelLogReader: new (fd: number, onMatch: (record: Uint8Array) => void) => { close(): void };
}

/** As which the descriptor outlives the agent. */
const keptName = 'kernel-log';
const note = 'kernel';

/** Calls back for each fork of this machine, and answers how to stop; `undefined` where this process may not read the log. */
export type ListenForFork = (listener: () => void) => (() => void) | undefined;

/**
 * What the kernel's log says of a fork of this machine: that its randomness was stirred. All that kernels say that have no `NEW_VMGENID`.
 * A keeper holds the place up to which the log was read, and waits for nothing there: every line would wake an agent. The next
 * one goes on from that place.
 */
export function kernelLog(kept?: KeptDescriptors, addon: KernelLogAddon = nativeAddon() as NativeAddon & KernelLogAddon): ListenForFork {
  // Taken at once, or the keeper lets go of it.
  let left = kept?.take(keptName, note);
  return (listener) => {
    let fd = left;
    left = undefined;
    try {
      if (fd === undefined) {
        fd = addon.openKernelLog();
        kept?.keep(keptName, 'plain', note, fd);
      }
    } catch {
      return undefined;
    }
    const reader = new addon.KernelLogReader(fd, listener);
    return () => reader.close();
  };
}
