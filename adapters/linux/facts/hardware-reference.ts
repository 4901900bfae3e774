// SPDX-License-Identifier: Apache-2.0
import { basename } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { osCode } from '../../../core/errors/agent-error.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';
import type { ReferenceClock, ReferenceReading } from '../../../core/ports/clock.ts';
import { attribute, exists, linkName } from '../kernel-files.ts';

/** Year, month from 0, day, hour, minute, second, in whatever zone the clock runs. */
export type ClockFields = readonly [year: number, month: number, day: number, hour: number, minute: number, second: number];

/** The system calls of a hardware clock. */
export interface HardwareClockSystem {
  /** CLOCK_BOOTTIME. */
  bootClock(): bigint;
  /** Answers at once, somewhere in the second. */
  glanceAtHardwareClock(path: string): Promise<ClockFields>;
  /** Answers when a second begins, which may take one. */
  readHardwareClock(path: string): Promise<ClockFields>;
}

/** Where hwclock(8) looks, in its order. */
export const hardwareClocks = ['/dev/rtc0', '/dev/rtc', '/dev/misc/rtc'] as const;

/** Read at the edge of a second, which is looked for every two milliseconds. */
const edge = 2_000_000n;
const restMs = 2;
/** More than a second of them. */
const mostLooks = 700;
const second = 1_000_000_000n;

/**
 * Drivers of clocks that answer within some hundred microseconds: a PC's and that of ARM's virtual machines. What others keep may be behind a
 * bus that takes long. `rtc_cmos 00:05`, `rtc-pl031 9010000.pl031`.
 */
const quickDrivers = /^(?:rtc_cmos|rtc-pl031) /;

/**
 * The hardware clock, where the machine has one. Its device can be open once at a time, by chronyd perhaps for good; what sysfs
 * says of it can be read at any time, and without a thread. `root` stands before /dev and /sys; `isLocal`: whether it runs in local time.
 */
export function hardwareReference(root: string, system: HardwareClockSystem, isLocal: () => Promise<boolean>, look: typeof attribute = attribute): readonly ReferenceClock[] {
  const first = hardwareClocks.find((path) => exists(root + path));
  if (first === undefined) return [];
  const path = root + first;
  const directory = `${root}/sys/class/rtc/${linkName(path) ?? basename(path)}`;
  const isQuick = quickDrivers.test(look(`${directory}/name`) ?? '');
  // Once: whoever reads it before a request touches no file.
  let zone: Promise<boolean> | undefined;
  let local: boolean | undefined;

  /** @throws os error where sysfs does not say it */
  function glance(): ReferenceReading {
    const said = look(`${directory}/since_epoch`);
    if (local === undefined || said === undefined || !/^\d{1,18}$/.test(said)) throw posixError('ENODEV', { syscall: 'read', path: `${directory}/since_epoch` });
    const date = new Date(Number(said) * 1000);
    const fields = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()] as const;
    return { time: nanosecondsOf(fields, local), monotonic: system.bootClock(), within: second };
  }

  /** The same when its second begins. */
  async function edgeAtGlance(): Promise<ReferenceReading> {
    const { time } = glance();
    for (let looks = 0; looks < mostLooks; looks += 1) {
      // oxlint-disable-next-line no-await-in-loop -- until it has changed
      await wait(restMs);
      const now = glance();
      if (now.time !== time) return { ...now, within: edge };
    }
    return glance();
  }

  return [{
    name: path,
    read: async (how) => {
      zone ??= isLocal();
      local = await zone;
      if (isQuick && how === 'at once') return glance();
      try {
        const fields = await (how === 'exactly' ? system.readHardwareClock(path) : system.glanceAtHardwareClock(path));
        return { time: nanosecondsOf(fields, local), monotonic: system.bootClock(), within: how === 'exactly' ? edge : second };
      } catch (error) {
        if (!isQuick || osCode(error) !== 'EBUSY') throw error;
        return edgeAtGlance();
      }
    },
    ...(isQuick ? { glance } : {}),
  }];
}

export const nanosecondsOf = (fields: ClockFields, local: boolean): bigint => BigInt(local ? new Date(...fields).getTime() : Date.UTC(...fields)) * 1_000_000n;
