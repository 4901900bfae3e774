// SPDX-License-Identifier: Apache-2.0
import { defaultPath, settingRows, type SettingRow } from '../adapters/config/settings-table.ts';
import { channelKeys } from '../adapters/config/channel-groups.ts';
import { wrapped } from './product-facts.ts';

/** What a service has otherwise than a program that is started by hand. */
const active: Readonly<Record<string, string>> = {
  // Made by the service manager, on a file system that is never frozen.
  statedir: '/run/concierge-ga',
  'retry-path': 'true',
};

const comment = (text: string): readonly string[] => wrapped(text, 118).map((line) => `# ${line}`);

/** `concierge-ga.conf` as it is installed: every setting, commented out with its default. */
export function configurationSample(): string {
  const head = [
    ...comment('Configuration of concierge-ga(8). Lines that begin with # show the defaults. After a change: systemctl restart concierge-ga'),
    ...comment('Options on the command line win over this file. As long as it is here, /etc/qemu/qemu-ga.conf is not read.'),
  ];
  const group = (name: SettingRow['group']): readonly string[] => [
    '',
    `[${name}]`,
    ...settingRows.filter(([, row]) => row.group === name).flatMap(([, row]) => setting(row)),
  ];
  return `${[...head, ...group('general'), ...group('concierge'), ...channel].join('\n')}\n`;
}

const channel: readonly string[] = [
  '',
  ...comment('Further channels, up to eight of them, each in a group of its own:'),
  '#[channel tools]',
  ...channelKeys.map(({ key }) => `#${key}=${{ method: 'vsock-listen', path: '4294967295:1025', profile: 'full', handles: 'own', 'vsock-allow': '2' }[key]}`),
];

function setting(row: SettingRow): readonly string[] {
  const value = active[row.key];
  return ['', ...comment(row.doc), value === undefined ? `#${row.key}=${fallback(row)}` : `${row.key}=${value}`];
}

function fallback(row: SettingRow): string {
  if (row.key === 'path') return defaultPath('virtio-serial', 'posix') ?? '';
  const value = row.fallback?.('posix') ?? row.bare ?? '';
  return typeof value === 'object' ? value.join(',') : String(value);
}
