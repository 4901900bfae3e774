// SPDX-License-Identifier: Apache-2.0
import { channelKeys } from './channel-groups.ts';
import { settingRows, type SettingRow } from './settings-table.ts';

/** The table of settings for `docs/configuration.md`; a test keeps the file equal to it. */
export function settingsDocumentation(): string {
  const head = ['| key | type | option | default | what for |', '|---|---|---|---|---|'];
  const section = (group: SettingRow['group']): readonly string[] => [
    `### \`[${group}]\``,
    '',
    ...head,
    ...settingRows.filter(([, row]) => row.group === group).map(([, row]) => tableRow(row)),
    '',
  ];
  return [...section('general'), ...section('concierge'), ...channelSection].join('\n');
}

/** A channel besides that of `[general]` is configured in the file alone. */
const channelSection: readonly string[] = [
  '### `[channel NAME]`',
  '',
  '| key | type | default | what for |',
  '|---|---|---|---|',
  ...channelKeys.map(({ key, type, fallback: absent, doc }) => `| \`${key}\` | ${type} | ${absent} | ${doc} |`),
  '',
];

function tableRow(row: SettingRow): string {
  const { short, long, argument } = row.option;
  const value = { none: '', required: `=${row.placeholder ?? ''}`, optional: `[=${row.placeholder ?? ''}]` }[argument];
  const spellings = [...(short === undefined ? [] : [`\`-${short}\``]), `\`--${long}${value}\``, ...(row.alias === undefined ? [] : [`\`--${row.alias}${value}\``])];
  const keys = [row.key, ...(row.alias === undefined ? [] : [row.alias])].map((key) => `\`${key}\``);
  return `| ${keys.join(', ')} | ${typeName(row)} | ${spellings.join(', ')} | ${fallback(row)} | ${row.doc} |`;
}

const typeName = (row: SettingRow): string =>
  row.choices?.join(' or ') ?? { boolean: 'true or false', text: 'text', list: 'names, with commas', seconds: 'seconds', choice: 'word', mode: 'octal' }[row.kind];

function fallback(row: SettingRow): string {
  if (row.key === 'path') return 'by method, below';
  const value = row.fallback?.('posix');
  if (value === undefined || String(value) === '') return '–';
  return `\`${String(value)}\``;
}
