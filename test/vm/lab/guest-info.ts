// SPDX-License-Identifier: Apache-2.0
import { loggedIn } from './login.ts';

/** What `virsh guestinfo` prints: lines of `KEY : VALUE`. */
export const readGuestInfo = (text: string): Record<string, string> =>
  Object.fromEntries(text.split('\n').map((line) => line.split(/\s*: (.*)/s, 2)).map(([key = '', value = '']) => [key.trim(), value]));

type Shell = (script: string) => Promise<string>;
type Look = (shell: Shell) => Promise<Record<string, string>>;

interface Link {
  readonly ifname: string;
  readonly address: string;
  readonly addr_info: readonly { readonly family: 'inet' | 'inet6'; readonly local: string; readonly prefixlen: number }[];
}

const numbered = (prefix: string, entries: readonly Readonly<Record<string, string>>[]): Record<string, string> =>
  Object.assign(
    { [`${prefix}.count`]: String(entries.length) },
    ...entries.map((entry, i) => Object.fromEntries(Object.entries(entry).map(([key, value]) => [`${prefix}.${i}.${key}`, value]))),
  ) as Record<string, string>;

/** The sections of `virsh guestinfo`, and what the guest's shell has to say about each, in the same keys. */
export const sections: Readonly<Record<string, Look>> = {
  user: async (shell) => {
    const first = new Map<string, string>();
    for (const { name, seconds, microseconds } of loggedIn(await shell('base64 -w0 /run/utmp'))) {
      if (!first.has(name)) first.set(name, String(seconds * 1000 + Math.floor(microseconds / 1000)));
    }
    return numbered('user', [...first].map(([name, time]) => ({ name, 'login-time': time })));
  },
  os: async (shell) => {
    const names = ['id', 'name', 'pretty-name', 'version', 'version-id', 'machine', 'kernel-release', 'kernel-version'];
    const values = (await shell('. /etc/os-release; printf "%s\\n" "$ID" "$NAME" "$PRETTY_NAME" "$VERSION" "$VERSION_ID"; uname -m; uname -r; uname -v')).split('\n');
    return Object.fromEntries(names.map((name, i) => [`os.${name}`, values[i] ?? '']));
  },
  timezone: async (shell) => {
    const [name = '', offset = ''] = (await shell('date +%Z; date +%z')).split('\n');
    const [, sign = '', hours = '', minutes = ''] = /^([+-])(..)(..)$/.exec(offset) ?? [];
    return { 'timezone.name': name, 'timezone.offset': String((sign === '-' ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60)) };
  },
  hostname: async (shell) => ({ hostname: await shell('hostname') }),
  interface: async (shell) => {
    const links = JSON.parse(await shell('ip -j address')) as readonly Link[];
    return numbered(
      'if',
      links.map(({ ifname, address, addr_info: addresses }) => ({
        name: ifname,
        hwaddr: address,
        ...numbered('addr', addresses.map(({ family, local, prefixlen }) => ({ type: family === 'inet' ? 'ipv4' : 'ipv6', addr: local, prefix: String(prefixlen) }))),
      })),
    );
  },
};
