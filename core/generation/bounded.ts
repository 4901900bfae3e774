// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../errors/agent-error.ts';
import type { Clock } from '../ports/clock.ts';

/** How long a clock may take to be read: one that counts in seconds takes one. */
const limitMs = 3000;

/** What a clock says, or a failed error where it does not say it in time. What it says later goes nowhere. */
export async function bounded<T>(clock: Clock, read: () => Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = clock.after(limitMs, () => late.reject(AgentError.failed(`it did not answer within ${limitMs / 1000} s`)));
  try {
    return await Promise.race([read(), late.promise]);
  } finally {
    timer.cancel();
  }
}
