// SPDX-License-Identifier: Apache-2.0
import { jsonText } from '../print-json.ts';
import { timeText } from '../table.ts';
import type { RunSubcommand } from '../terminal.ts';

export const run: RunSubcommand = async ({ client, json, print, showTable }) => {
  const list = await client.execute('guest-get-users');
  if (!json && list.length === 0) {
    print('nobody is logged in\n');
    return 0;
  }
  if (json) print(`${jsonText(list)}\n`);
  else showTable([{ title: 'USER' }, { title: 'DOMAIN' }, { title: 'SINCE' }], list.map(({ user, domain = '', 'login-time': since }) => [user, domain, timeText(since * 1000)]));
  return 0;
};
