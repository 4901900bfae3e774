// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../ports/clock.ts';
import { bounded } from './bounded.ts';
import { behind, exactEnough } from './behind.ts';

/**
 * Sets the wall clock from the first of the hypervisor's clocks that answers and is more exact than a hardware clock, which counts in
 * seconds. Answers whether there was one. Never rejects.
 */
export async function setFromReference(clock: Clock): Promise<boolean> {
  const { references } = clock;
  if (references === undefined) return false;
  try {
    for (const source of await bounded(clock, () => references.list())) {
      // oxlint-disable-next-line no-await-in-loop -- the next one only where this one is of no use
      const reading = await bounded(clock, () => source.read('at once')).catch(() => undefined);
      if (reading === undefined || reading.within > exactEnough) continue;
      // oxlint-disable-next-line no-await-in-loop -- the only time that it comes so far
      await references.step(behind(clock, reading));
      return true;
    }
  } catch {
    // The hardware clock's own way says what is wrong.
  }
  return false;
}
