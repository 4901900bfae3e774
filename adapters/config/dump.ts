// SPDX-License-Identifier: Apache-2.0
import type { NamedChannel } from './channel-groups.ts';
import { escapeValue } from './key-file.ts';
import type { Settings } from './settings.ts';
import { settingRows, type Platform, type SettingName, type SettingRow } from './settings-table.ts';

/**
 * The settings as a configuration file that both agents read. qemu-ga's own group is written like qemu-ga 11.1 does it,
 * byte for byte; ours appears with what differs from the defaults.
 */
export function dumpConfiguration(settings: Settings, platform: Platform): string {
  const general = settingRows.filter(([, row]) => row.group === 'general').flatMap(([name, row]) => line(row, settings[name]));
  const own = settingRows
    .filter(([name, row]) => row.group === 'concierge' && String(settings[name] ?? '') !== String(row.fallback?.(platform) ?? ''))
    .flatMap(([name, row]) => line(row, settings[name]));
  return ['[general]', ...general, ...(own.length === 0 ? [] : ['', '[concierge]', ...own]), ...settings.channels.flatMap(channelLines), ''].join('\n');
}

const channelLines = ({ name, method, path, profile, handles, vsockAllow }: NamedChannel): readonly string[] => [
  '',
  `[channel ${name}]`,
  `method=${escapeValue(method)}`,
  ...(path === undefined ? [] : [`path=${escapeValue(path)}`]),
  `profile=${escapeValue(profile)}`,
  `handles=${handles}`,
  ...(vsockAllow.length === 0 ? [] : [`vsock-allow=${vsockAllow.join(',')}`]),
];

function line(row: SettingRow, value: Settings[SettingName]): readonly string[] {
  if (value === undefined) return [];
  // GLib writes a list element by element: a blank at the start of a name is escaped like one at the start of a value.
  const text = typeof value === 'object' ? value.map(escapeValue).join(',') : typeof value === 'string' ? escapeValue(value) : String(value);
  return [`${row.key}=${text}`];
}
