// SPDX-License-Identifier: Apache-2.0
import { closeSync } from 'node:fs';
import type { GenerationNews } from '../../../core/ports/generation.ts';
import { nativeAddon, type NativeAddon } from '../native.ts';

/** What native/linux/vmclock.cc and uevents.cc offer. */
export interface VmclockAddon {
  /** @throws os error: `ENOENT` where the hypervisor has none, or the kernel no driver of it */
  openVmclock(path: string): number;
  /** Maps the page; keeps no descriptor. `since`: marks of an earlier one. @throws os error: `EINVAL` for what is no such page */
  readonly VmclockPage: new (fd: number, since?: VmclockMarks) => {
    /** What has changed since the last look: an index of `news`. */
    look(): number;
    /** What the last look has found. */
    marks(): VmclockMarks;
    /** Whether a descriptor becomes readable when the page changes. */
    notifies(): boolean;
    close(): void;
  };
  /** Owns `fd`. */
  readonly VmclockReader: new (fd: number, onNews: () => void) => { close(): void };
}

/** The page's disruption marker, flags and generation counter. */
type VmclockMarks = readonly [disruption: bigint, flags: bigint, generation: bigint];

const news: readonly (GenerationNews | undefined)[] = [undefined, 'disruption', 'generation'];
const device = '/dev/vmclock0';

export interface VmclockWatch {
  /** Looks at the page, without a system call. */
  look(): void;
  /** What the last look has found, for another watch to go on from. */
  heard(): string;
  stop(): void;
}

/**
 * What a VMClock says: that another generation has begun, where it counts them, and that its clock was disturbed, as by every restore and
 * every move to another host. Most tell of it only to who looks; one that notifies is heard, too. `since`: what an earlier watch has heard;
 * what has changed from then on is found by the first look. `undefined` where there is none.
 */
export function watchVmclock(listener: (news: GenerationNews) => void, since?: string, addon: VmclockAddon = nativeAddon() as NativeAddon & VmclockAddon): VmclockWatch | undefined {
  let fd: number;
  let page: InstanceType<VmclockAddon['VmclockPage']>;
  try {
    fd = addon.openVmclock(device);
  } catch {
    return undefined;
  }
  try {
    page = new addon.VmclockPage(fd, marksFrom(since));
  } catch {
    closeSync(fd);
    return undefined;
  }
  const look = (): void => {
    const heard = news[page.look()];
    if (heard !== undefined) listener(heard);
  };
  const heard = (): string => page.marks().join(' ');
  if (!page.notifies()) {
    closeSync(fd);
    return { look, heard, stop: () => page.close() };
  }
  const reader = new addon.VmclockReader(fd, look);
  return {
    look,
    heard,
    stop: () => {
      reader.close();
      page.close();
    },
  };
}

/** Nothing where they are those of another version of this. */
function marksFrom(text = ''): VmclockMarks | undefined {
  const [, disruption, flags, generation] = /^(\d{1,20}) (\d{1,20}) (\d{1,20})$/.exec(text) ?? [];
  return disruption === undefined || flags === undefined || generation === undefined ? undefined : [BigInt(disruption), BigInt(flags), BigInt(generation)];
}
