// SPDX-License-Identifier: Apache-2.0
import type { Clock } from 'concierge-ga/kit';

/** The process's clocks. `hrtime` stands still on some systems while they sleep: there a deadline comes later. */
export const clock: Clock = {
  now: () => BigInt(Date.now()) * 1_000_000n,
  monotonic: () => process.hrtime.bigint(),
  after: (ms, callback) => {
    const timeout = setTimeout(callback, ms).unref();
    return { cancel: () => clearTimeout(timeout) };
  },
};
