// SPDX-License-Identifier: Apache-2.0
import { jsonText } from '../print-json.ts';
import { pairs } from '../table.ts';
import type { RunSubcommand } from '../terminal.ts';

export const run: RunSubcommand = async ({ client, json, print }) => {
  const os = await client.execute('guest-get-osinfo');
  print(
    json
      ? `${jsonText(os)}\n`
      : pairs([
          ['name', os['pretty-name'] ?? os.name],
          ['id', os.id],
          ['version', os.version ?? os['version-id']],
          ['variant', os.variant],
          ['kernel', os['kernel-release']],
          ['build', os['kernel-version']],
          ['machine', os.machine],
        ]),
  );
  return 0;
};
