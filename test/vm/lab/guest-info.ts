// SPDX-License-Identifier: Apache-2.0
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

const words = (text: string): string[][] => text.split('\n').filter((line) => line !== '').map((line) => line.split(/\s+/));
const numbered = (prefix: string, entries: readonly Readonly<Record<string, string>>[]): Record<string, string> =>
  Object.assign(
    { [`${prefix}.count`]: String(entries.length) },
    ...entries.map((entry, i) => Object.fromEntries(Object.entries(entry).map(([key, value]) => [`${prefix}.${i}.${key}`, value]))),
  ) as Record<string, string>;

/** The sections of `virsh guestinfo`, and what the guest's shell has to say about each, in the same keys. */
export const sections: Readonly<Record<string, Look>> = {
  user: async (shell) => {
    // who(1) of newer releases asks logind.
    const entries = words(await shell("utmpdump /run/utmp 2>/dev/null | sed -n 's/^\\[7\\] \\[[^]]*\\] \\[[^]]*\\] \\[\\([^] ]*\\).*/\\1/p'"));
    const time = (name: string): Promise<string> =>
      shell(`date -d "$(utmpdump /run/utmp 2>/dev/null | sed -n 's/^\\[7\\].*\\[${name} *\\].*\\[\\(....-..-..T..:..:..\\),\\(...\\).*/\\1.\\2Z/p' | head -n 1)" +%s%3N`);
    const names = [...new Set(entries.map(([name = '']) => name))];
    const users = await Promise.all(names.map(async (name) => ({ name, 'login-time': await time(name) })));
    return numbered('user', users);
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
