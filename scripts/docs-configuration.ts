// SPDX-License-Identifier: Apache-2.0
/**
 * Writes what `docs/configuration.md` has of the table of settings and of the table of channels, between its two marks. With
 * `--check` it writes nothing and fails where the page says otherwise.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ChannelMethod } from '../core/ports/index.ts';
import { channelMethods } from '../adapters/channels/methods.ts';
import { settingsDocumentation } from '../adapters/config/documentation.ts';

export const pagePath = fileURLToPath(new URL('../docs/configuration.md', import.meta.url));

const begin = '<!-- Made from adapters/config/settings-table.ts and adapters/channels/methods.ts by `node scripts/docs-configuration.ts`: change these. -->\n';
const end = '<!-- End of what is made. -->\n';

/** The page with what is made in it put in anew. @throws where a mark is missing */
export function configurationPage(page: string): string {
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error('docs/configuration.md has lost the marks around the table of settings');
  return `${page.slice(0, from + begin.length)}\n${settingsDocumentation()}\n${pathsDocumentation()}\n${page.slice(to)}`;
}

/** The default of `path`, by method. */
function pathsDocumentation(): string {
  const names = [...new Set([...channelMethods.posix, ...channelMethods.windows].map(({ name }) => name))];
  const cell = (platform: keyof typeof channelMethods, name: string): string => {
    const method: ChannelMethod | undefined = channelMethods[platform].find((one) => one.name === name);
    if (method === undefined) return 'there is none';
    return method.defaultPath === undefined ? '–' : `\`${method.defaultPath}\``;
  };
  const rows = names.map((name) => `| \`${name}\` | ${cell('posix', name)} | ${cell('windows', name)} |`);
  return ['| method | default of `path` | on Windows |', '|---|---|---|', ...rows, ''].join('\n');
}

function main(): void {
  const page = readFileSync(pagePath, 'utf8');
  const wanted = configurationPage(page);
  if (!process.argv.includes('--check')) {
    writeFileSync(pagePath, wanted);
    return;
  }
  if (page === wanted) return;
  process.stderr.write('docs/configuration.md is not what the settings say: run node scripts/docs-configuration.ts\n');
  process.exitCode = 1;
}

if (import.meta.main) main();
