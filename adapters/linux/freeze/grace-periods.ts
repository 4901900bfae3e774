// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from 'node:fs';

import { attribute } from '../kernel-files.ts';

const path = '/sys/kernel/rcu_expedited';

/** In the recovery data of a freeze that changes the switch: what it was before. */
export const noted = { 'rcu-expedited': '0' } as const;

/**
 * Whether the guardian may have the kernel expedite RCU grace periods while it freezes. Not where the administrator has
 * switched that on already, and not where processors are kept from interrupts (`nohz_full=`): whoever set them apart wants
 * none for this either.
 */
export function mayExpedite(root: string): boolean {
  // A list such as `2-7`; without any it is a blank line or `(null)`.
  return attribute(`${root}${path}`) === '0' && !/^\d/.test(attribute(`${root}/sys/devices/system/cpu/nohz_full`) ?? '');
}

/** Puts back what a freeze has changed that nobody is left of, by what its marker says. */
export function restoreGracePeriods(root: string, recoveryData: Readonly<Record<string, string>>): void {
  if (recoveryData['rcu-expedited'] !== noted['rcu-expedited'] || attribute(`${root}${path}`) !== '1') return;
  try {
    writeFileSync(`${root}${path}`, '0\n');
  } catch {
    // Without the right to write it, it was not changed either.
  }
}
