import { jsonText } from '../print-json.ts';
import type { RunSubcommand } from '../terminal.ts';
import { reportText } from '../report-text.ts';
import { fileSystemsText } from '../table.ts';
import { reportOf } from './status.ts';

export const run: RunSubcommand = async ({ client, json, stdout }) => {
  const count = await client.execute('guest-fsfreeze-thaw', {}, { timeoutMs: 180_000 });
  const report = await reportOf(client);
  stdout.write(json ? `${jsonText({ thawed: count, report })}\n` : `${fileSystemsText(count)} thawed\n${report === undefined ? '' : reportText(report)}`);
  return 0;
};
