// SPDX-License-Identifier: Apache-2.0
import { closeSync } from 'node:fs';
import type { GenerationNews } from '../../../core/ports/generation.ts';
import { nativeAddon, type NativeAddon } from '../native.ts';

/** What native/linux/vmclock.cc and uevents.cc offer. */
export interface VmclockAddon {
  /** @throws os error: `ENOENT` where the hypervisor has none, or the kernel no driver of it */
  openVmclock(path: string): number;
  /** Maps the page; keeps no descriptor. @throws os error: `EINVAL` for what is no such page */
  readonly VmclockPage: new (fd: number) => {
    /** What has changed since the last look: an index of `news`. */
    look(): number;
    /** Whether a descriptor becomes readable when the page changes. */
    notifies(): boolean;
    close(): void;
  };
  /** Owns `fd`. */
  readonly VmclockReader: new (fd: number, onNews: () => void) => { close(): void };
}

const news: readonly (GenerationNews | undefined)[] = [undefined, 'disruption', 'generation'];
const device = '/dev/vmclock0';

export interface VmclockWatch {
  /** Looks at the page, without a system call. */
  look(): void;
  stop(): void;
}

/**
 * What a VMClock says: that another generation has begun, where it counts them, and that its clock was disturbed, as by every restore and
 * every move to another host. Most tell of it only to who looks; one that notifies is heard, too. `undefined` where there is none.
 */
export function watchVmclock(listener: (news: GenerationNews) => void, addon: VmclockAddon = nativeAddon() as NativeAddon & VmclockAddon): VmclockWatch | undefined {
  let fd: number;
  let page: InstanceType<VmclockAddon['VmclockPage']>;
  try {
    fd = addon.openVmclock(device);
  } catch {
    return undefined;
  }
  try {
    page = new addon.VmclockPage(fd);
  } catch {
    closeSync(fd);
    return undefined;
  }
  const look = (): void => {
    const heard = news[page.look()];
    if (heard !== undefined) listener(heard);
  };
  if (!page.notifies()) {
    closeSync(fd);
    return { look, stop: () => page.close() };
  }
  const reader = new addon.VmclockReader(fd, look);
  return {
    look,
    stop: () => {
      reader.close();
      page.close();
    },
  };
}
