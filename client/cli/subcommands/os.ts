// SPDX-License-Identifier: Apache-2.0
import { jsonText } from '../print-json.ts';
import type { RunSubcommand } from '../terminal.ts';

export const run: RunSubcommand = async ({ client, json, print, showPairs }) => {
  const os = await client.execute('guest-get-osinfo');
  if (json) {
    print(`${jsonText(os)}\n`);
    return 0;
  }
  showPairs([
    ['name', os['pretty-name'] ?? os.name],
    ['id', os.id],
    ['version', os.version ?? os['version-id']],
    ['variant', os.variant],
    ['kernel', os['kernel-release']],
    ['build', os['kernel-version']],
    ['machine', os.machine],
  ]);
  return 0;
};
