// SPDX-License-Identifier: Apache-2.0
import { jsonText } from '../print-json.ts';
import type { RunSubcommand } from '../terminal.ts';
import { reportText } from '../report-text.ts';
import { fileSystemsText } from '../table.ts';
import { reportOf } from './status.ts';

export const run: RunSubcommand = async ({ client, json, print }) => {
  const count = await client.execute('guest-fsfreeze-thaw', {}, { timeoutMs: 180_000 });
  // Where nothing was frozen, the report is that of a freeze long ago.
  const report = count === 0n ? undefined : await reportOf(client);
  if (json) print(`${jsonText({ thawed: count, report })}\n`);
  else if (count === 0n) print('nothing was frozen (concierge-ctl status tells of the last freeze)\n');
  else print(`${fileSystemsText(count)} thawed\n${report === undefined ? '' : reportText(report)}`);
  return 0;
};
