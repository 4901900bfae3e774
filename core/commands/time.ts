// SPDX-License-Identifier: Apache-2.0
import { AgentError, withContext } from '../errors/agent-error.ts';
import { setFromReference } from '../generation/set-from-reference.ts';
import { guestGetTime, guestSetTime } from '../schema/time.ts';
import { available, handler } from './command.ts';

/** qemu-ga 11.1 takes the years 1970 to 2069; we count them in UTC and not in local time. */
const LIMIT = BigInt(Date.UTC(2070, 0, 1)) * 1_000_000n;

/** Whole microseconds, because gettimeofday(2) is what hosts have seen so far. */
export const getTime = handler(guestGetTime, ({ backend }) => (backend.clock.now() / 1000n) * 1000n);

export const setTime = handler(guestSetTime, async ({ backend, log }, { time }) => {
  log.account(() => `guest-set-time called, time: ${time ?? 'that of the hypervisor or of the hardware clock'}`);
  const setting = available(backend.clock.setting, 'clock.setting');
  if (time === undefined) {
    if (await setFromReference(backend.clock)) return;
    await setting.setFromHardware().catch((error: unknown) => {
      throw withContext('Failed to set time from the hardware clock', error);
    });
    return;
  }
  if (time < 0n || time >= LIMIT) throw AgentError.failed('Invalid time');
  try {
    await setting.set(time);
  } catch (error) {
    throw withContext('Failed to set time to guest', error);
  }
});
