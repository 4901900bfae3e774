// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { readGuestInfo } from './guest-info.ts';

interface Hands {
  readonly virsh: (...args: readonly string[]) => Promise<string>;
  readonly shell: (script: string) => Promise<string>;
  /** Resolves to what the agent returns. */
  readonly agentCommand: (command: string) => Promise<unknown>;
}

/** Becomes `tester` with a password, from somebody who needs one. */
export const su = (password: string): string => `echo '${password}' | timeout 100 runuser -u nobody -- su tester -c 'id -un'`;

const sshKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGuestAgentTestKeyGuestAgentTestKeyGuestAge guest@test';

/** What hosts do to a guest by libvirt, with what comes of it. Each leaves the guest as it was, as far as the others look. */
export const operations: Readonly<Record<string, (hands: Hands) => Promise<unknown>>> = {
  'qemu-agent-command guest-ping': ({ agentCommand }) => agentCommand('guest-ping'),
  'qemu-agent-command of an unknown command': ({ agentCommand }) => agentCommand('guest-make-coffee').catch(sentence),
  domhostname: ({ virsh }) => virsh('domhostname', 'guest', '--source', 'agent'),
  domifaddr: ({ virsh }) => virsh('domifaddr', 'guest', '--source', 'agent', '--full'),
  domfsinfo: ({ virsh }) => virsh('domfsinfo', 'guest'),
  guestvcpus: ({ virsh }) => virsh('guestvcpus', 'guest'),
  guestinfo: async ({ virsh }) => {
    const told = Object.entries(readGuestInfo(await virsh('guestinfo', 'guest')));
    const isDisk = ([name]: readonly [string, string]): boolean => name.startsWith('disk.');
    // The guest goes on writing and has work to do, and the order of disks is that of a directory.
    return { disks: byName(told.filter(isDisk)), others: Object.fromEntries(told.filter((one) => !isDisk(one) && !/-bytes$|^load\./.test(one[0]))) };
  },
  'domtime --time': async ({ virsh, shell }) => {
    await virsh('domtime', 'guest', '--time', '1900000000');
    return Math.floor(Number(await shell('date +%s')) / 1000);
  },
  'setvcpus --guest': async ({ virsh, shell }) => {
    await virsh('setvcpus', 'guest', '1', '--guest');
    const one = await shell('cat /sys/devices/system/cpu/online');
    await virsh('setvcpus', 'guest', '2', '--guest');
    return [one, await shell('cat /sys/devices/system/cpu/online')];
  },
  'set-user-password': async ({ virsh, shell }) => {
    await shell("echo 'tester:before' | chpasswd");
    await virsh('set-user-password', 'guest', 'tester', 'after');
    return [await shell(su('after')), await shell(`${su('before')} 2>&1 | tail -n 1`)];
  },
  'set-user-password --encrypted': async ({ virsh, shell }) => {
    await virsh('set-user-password', 'guest', 'tester', '--encrypted', '$6$salt$0Q/I9WEQyKKePBnYfeSCRiKZnlCoIPPR9hcrnAbuNmnX.vzyCS9E0bdjk2KCCAEEkAWCgrzDXuAmLFKTgdKiN/');
    return shell("grep ^tester: /etc/shadow | cut -d: -f2");
  },
  'set-user-sshkeys': async ({ virsh, shell }) => {
    await shell(`rm -rf ~tester/.ssh; printf '%s\\n' '${sshKey}' >/run/key`);
    await virsh('qemu-agent-command', '--timeout', '240', 'guest', JSON.stringify({ execute: 'guest-ssh-add-authorized-keys', arguments: { username: 'tester', keys: [sshKey] } }));
    return [await virsh('get-user-sshkeys', 'guest', 'tester'), await shell('stat -c "%U %a %n" ~tester/.ssh ~tester/.ssh/authorized_keys; grep -c ssh- ~tester/.ssh/authorized_keys')];
  },
  'get-user-sshkeys of a user that is not there': ({ virsh }) => virsh('get-user-sshkeys', 'guest', 'nobody-at-all').catch(sentence),
  domfstrim: async ({ virsh, shell }) => {
    await shell('sync');
    return virsh('domfstrim', 'guest');
  },
  'domfsfreeze and domfsthaw': async ({ virsh, shell, agentCommand }) => [
    await virsh('domfsfreeze', 'guest'),
    await agentCommand('guest-fsfreeze-status'),
    await virsh('domfsfreeze', 'guest').catch(sentence),
    await virsh('domfsthaw', 'guest'),
    await agentCommand('guest-fsfreeze-status'),
    await shell('touch /written-again && echo written'),
  ],
  'domfsfreeze --mountpoint': async ({ virsh }) => [await virsh('domfsfreeze', 'guest', '--mountpoint', '/data'), await virsh('domfsthaw', 'guest')],
  'domfsfreeze --mountpoint of one that is none': async ({ virsh }) => [
    await virsh('domfsfreeze', 'guest', '--mountpoint', '/nowhere').catch(sentence),
    await virsh('domfsthaw', 'guest'),
  ],
};

/** `disk.3.alias` and the like, by the disks' names. */
function byName(entries: readonly (readonly [string, string])[]): Record<string, Record<string, string>> {
  const names = new Map(entries.flatMap(([member, value]) => (member.endsWith('.name') ? [[member.split('.')[1], value]] : [])));
  const disks: Record<string, Record<string, string>> = {};
  for (const [key, value] of entries) {
    const [, index, ...member] = key.split('.');
    const disk = (disks[names.get(index) ?? 'all'] ??= {});
    disk[member.join('.')] = value;
  }
  return disks;
}

const sentence = (error: unknown): string => /^error: .*$/m.exec(String(error))?.[0] ?? String(error);

/** Rows of docs/differences.md for operations whose results are not the same. */
export const listed: Readonly<Record<string, string>> = {
  'get-user-sshkeys of a user that is not there': 'unknown-ssh-user',
  'domfsfreeze --mountpoint of one that is none': 'unknown-mount-point',
};

export const rowsOfDifferences = (): readonly string[] =>
  [...readFileSync(new URL('../../../docs/differences.md', import.meta.url), 'utf8').matchAll(/<a id="([a-z0-9-]+)">/g)].map(([, row = '']) => row);
