// SPDX-License-Identifier: Apache-2.0
import { appendFileSync } from 'node:fs';

const path = process.env['CONCIERGE_TEST_VM_OBSERVED'];

/** Whether somebody collects what the machines show: test/vm/matrix.ts. */
export const isWatched = path !== undefined;

/** Notes what a release of host or guest does, for docs/compatibility.md. */
export function observe(what: string, seen: string): void {
  if (path !== undefined) appendFileSync(path, `${JSON.stringify([what, seen])}\n`);
}
