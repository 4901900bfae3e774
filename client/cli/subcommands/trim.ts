// SPDX-License-Identifier: Apache-2.0
import { jsonText } from '../print-json.ts';
import { bytesText, table } from '../table.ts';
import type { RunSubcommand } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

export const run: RunSubcommand = async ({ client, flags, json, print }) => {
  const minimum = flags.get('minimum');
  if (minimum !== undefined && !/^\d+$/.test(minimum)) throw new UsageError(`--minimum takes a number of bytes, not '${minimum}'`);
  const { paths } = await client.execute('guest-fstrim', minimum === undefined ? {} : { minimum: BigInt(minimum) }, { timeoutMs: 600_000 });
  print(
    json
      ? `${jsonText(paths)}\n`
      : table([{ title: 'MOUNTED ON' }, { title: 'DISCARDED', right: true }, { title: 'PROBLEM' }], paths.map(({ path, trimmed, error = '' }) => [path, bytesText(trimmed), error])),
  );
  return paths.some(({ error }) => error !== undefined && error !== 'trim not supported') ? 1 : 0;
};
