// SPDX-License-Identifier: Apache-2.0
import { AgentError, osCode, withContext } from '../../../core/errors/agent-error.ts';
import type { Clock } from '../../../core/ports/clock.ts';
import { after } from '../../shared/unreferenced-timer.ts';
import { type NativeAddon, nativeAddon } from '../native.ts';
import { textFromBytes } from '../text.ts';
import { type ClockFields, type HardwareClockSystem, hardwareClocks, hardwareReference, nanosecondsOf } from './hardware-reference.ts';
import { HeldClock, ptpClocks, type PtpSystem } from './reference-clocks.ts';

/** The system calls of this port. */
export interface ClockSystem extends Pick<NativeAddon, 'readFile'>, PtpSystem, HardwareClockSystem {
  wallClock(): bigint;
  setWallClock(time: bigint): void;
  /** By so many nanoseconds. */
  stepWallClock(by: bigint): void;
  writeHardwareClock(path: string, fields: ClockFields): Promise<void>;
}

const absent: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENODEV', 'ENXIO', 'ENOTDIR']);

/** The clocks of this machine. `root` stands before /dev and /etc: '' for the running system. */
export function linuxClock({ root = '', system = nativeAddon() as NativeAddon & ClockSystem }: { root?: string; system?: ClockSystem } = {}): Clock {
  const held = new HeldClock(system);
  return {
    now: () => system.wallClock(),
    monotonic: () => system.bootClock(),
    after,
    setting: {
      async set(time) {
        system.setWallClock(time);
        await setHardwareClock(root, system);
      },
      async setFromHardware() {
        const time = await readHardwareClock(root, system);
        try {
          system.setWallClock(time);
        } catch (error) {
          throw setFromHardwareFailure(error);
        }
      },
    },
    references: {
      list: async () => [...ptpClocks(root, system, held), ...hardwareReference(root, system, () => runsInLocalTime(root, system))],
      step: async (by) => system.stepWallClock(by),
    },
  };
}

const setFromHardwareFailure = (error: unknown): AgentError =>
  AgentError.failed(withContext('failed to set system time from hardware clock', error).message, error);

async function setHardwareClock(root: string, system: ClockSystem): Promise<void> {
  try {
    const local = await runsInLocalTime(root, system);
    await withHardwareClock(root, (path) => system.writeHardwareClock(path, fieldsAt(system.wallClock(), local)));
  } catch (error) {
    // A machine without one is set all the same.
    if (absent.has(osCode(error))) return;
    throw AgentError.failed(withContext('failed to set hardware clock to system time', error).message, error);
  }
}

/** At the edge of one of its seconds. */
async function readHardwareClock(root: string, system: ClockSystem): Promise<bigint> {
  try {
    const local = await runsInLocalTime(root, system);
    return nanosecondsOf(await withHardwareClock(root, (path) => system.readHardwareClock(path)), local);
  } catch (error) {
    // Held open by somebody else, chronyd perhaps: then it is told by sysfs, where that is quick.
    const [elsewhere] = osCode(error) === 'EBUSY' ? hardwareReference(root, system, () => runsInLocalTime(root, system)) : [];
    if (elsewhere?.glance !== undefined) return (await elsewhere.read('exactly')).time;
    if (absent.has(osCode(error))) {
      throw AgentError.failed(`failed to set system time from hardware clock: this machine has none (looked for ${hardwareClocks.join(', ')})`, error);
    }
    throw setFromHardwareFailure(error);
  }
}

/** The first device that is there. @throws the last error where none is */
async function withHardwareClock<T>(root: string, use: (path: string) => Promise<T>): Promise<T> {
  let missing: unknown;
  for (const path of hardwareClocks) {
    try {
      return await use(root + path);
    } catch (error) {
      if (!absent.has(osCode(error))) throw error;
      missing = error;
    }
  }
  throw missing;
}

/** The third line of adjtime(5) is `UTC` or `LOCAL`; without the file it is UTC. */
async function runsInLocalTime(root: string, system: ClockSystem): Promise<boolean> {
  try {
    return textFromBytes(await system.readFile(`${root}/etc/adjtime`, 4096)).split('\n')[2]?.trim() === 'LOCAL';
  } catch {
    return false;
  }
}

function fieldsAt(time: bigint, local: boolean): ClockFields {
  const date = new Date(Number(time / 1_000_000n));
  return local
    ? [date.getFullYear(), date.getMonth(), date.getDate(), date.getHours(), date.getMinutes(), date.getSeconds()]
    : [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()];
}
