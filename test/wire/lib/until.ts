// SPDX-License-Identifier: Apache-2.0
import { setTimeout as delay } from 'node:timers/promises';

/** Polls: for what no event tells of, like a file that another process makes. @throws when it does not come about in half a minute */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`it did not come about: ${condition.toString()}`);
    await delay(5);
  }
}
