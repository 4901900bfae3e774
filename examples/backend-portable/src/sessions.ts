// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Accounts, UserSession } from 'concierge-ga/kit';

import { asSystem } from './system-error.ts';

const run = promisify(execFile);

/**
 * A line of who(1): `alice pts/0 2026-01-01 10:00 (…)` with GNU, `alice ttys000 Jan  1 10:00` on the BSDs and macOS, which
 * leave the year out.
 */
export function sessionIn(line: string, now: Date): UserSession | undefined {
  const [, user, day, time, month, date, hour] = /^(\S+)\s+\S+\s+(?:(\d{4}-\d\d-\d\d) (\d\d:\d\d)|([A-Z][a-z]{2})\s+(\d{1,2}) (\d\d:\d\d))/.exec(line) ?? [];
  if (user === undefined) return undefined;
  const text = day === undefined ? `${month ?? ''} ${date ?? ''} ${now.getFullYear()} ${hour ?? ''}` : `${day}T${time ?? ''}`;
  const at = new Date(text);
  // Without a year, a day that is still to come was one of last year.
  if (day === undefined && at > now) at.setFullYear(at.getFullYear() - 1);
  return Number.isNaN(at.getTime()) ? undefined : { user, loginTime: at.getTime() / 1000 };
}

export const accounts: Accounts = {
  sessions: {
    list: async () => {
      const { stdout } = await asSystem(run('who', [], { env: { ...process.env, LC_ALL: 'C' } }));
      const now = new Date();
      return stdout.split('\n').flatMap((line) => sessionIn(line, now) ?? []);
    },
  },
};
