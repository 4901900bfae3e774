// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { linuxFacts, type BlockAddon } from '../../../adapters/linux/facts/facts.ts';
import { nativeAddon, type NativeAddon } from '../../../adapters/linux/native.ts';
import type { GroupsAddon } from '../../../adapters/linux/accounts/groups.ts';
import type { AccountsAddon } from '../../../adapters/linux/accounts/ssh-keys.ts';

const addon = nativeAddon() as NativeAddon & BlockAddon & AccountsAddon & GroupsAddon;
const facts = linuxFacts('', addon);
const run = (program: string, ...args: string[]): string => execFileSync(program, args, { encoding: 'utf8' });
const has = (program: string): boolean => ['/bin', '/usr/bin', '/sbin', '/usr/sbin'].some((folder) => existsSync(`${folder}/${program}`));

interface Listed { readonly name: string; readonly type: string; readonly size: number; readonly children?: readonly Listed[] }
const flat = (devices: readonly Listed[]): readonly Listed[] => devices.flatMap((device) => [device, ...flat(device.children ?? [])]);

describe('what this machine tells of itself', () => {
  it.skipIf(!has('lsblk'))('has the disks and partitions that lsblk has (needs lsblk)', async () => {
    const { blockdevices } = JSON.parse(run('lsblk', '-J', '-b', '-o', 'NAME,TYPE,SIZE')) as { blockdevices: Listed[] };
    const expected = new Map(flat(blockdevices).filter((device) => device.size > 0).map((device) => [`/dev/${device.name}`, device.type === 'part']));

    const disks = await facts.disks.list();

    expect(disks.length).toBeGreaterThan(0);
    expect(disks.map((disk) => [disk.name.replace('/dev/mapper/', '/dev/'), disk.partition])).toEqual(
      expect.arrayContaining([...expected].filter(([name]) => existsSync(name))));
  });

  it.skipIf(!has('id'))('knows the groups of its users as id does (needs id)', async () => {
    const groupsOf = async (user: string): Promise<readonly string[] | undefined> => facts.accounts.groups?.of(user);

    for (const user of ['root', 'daemon', 'nobody']) {
      expect((await groupsOf(user))?.toSorted()).toEqual(run('id', '-Gn', user).trim().split(' ').toSorted());
    }
    for (const nobody of ['no-such-user-here', '', 'root\0']) await expect(groupsOf(nobody)).rejects.toThrow('no such user');
  });

  it('has the file systems that df has, with the same numbers', async () => {
    const list = await facts.usage.list();

    const root = list.find((info) => info.mountPoint === '/');
    const [total = '', available = ''] = run('df', '-B1', '--output=size,avail', '/').trim().split('\n').at(-1)?.trim().split(/\s+/) ?? [];
    if (root === undefined) {
      // An overlay or other file system without a device, as in containers, has no entry.
      expect(run('stat', '-c', '%d', '/')).not.toBe('0');
      return;
    }
    expect(root.totalBytesPrivileged).toBe(BigInt(total));
    // The disk is in use meanwhile: within 1 GiB.
    const ours = (root.totalBytes ?? 0n) - (root.usedBytes ?? 0n);
    expect(Math.abs(Number(ours - BigInt(available)))).toBeLessThan(2 ** 30);
  });

  it('has the processors that the kernel has', async () => {
    const list = (await facts.processors.online?.list()) ?? [];
    const statistics = (await facts.processors.statistics?.list()) ?? [];

    expect(list.filter((processor) => processor.online)).toHaveLength(Number(run('getconf', '_NPROCESSORS_ONLN')));
    expect(statistics.map((entry) => entry.cpu)).toEqual(list.filter((processor) => processor.online).map((processor) => processor.logicalId));
    expect(statistics.every((entry) => entry.idle > 0n)).toBe(true);
    expect(await facts.processors.load?.average()).toHaveLength(3);
  });

  it.skipIf(!existsSync('/sys/devices/system/memory'))('has memory blocks that hold its memory (needs /sys/devices/system/memory)', async () => {
    const blocks = (await facts.memory.blocks?.list()) ?? [];
    const size = (await facts.memory.blocks?.blockSize()) ?? 0n;

    const total = BigInt(/MemTotal:\s+(\d+) kB/.exec(run('cat', '/proc/meminfo'))?.[1] ?? '0') * 1024n;
    expect(BigInt(blocks.filter((block) => block.online).length) * size).toBeGreaterThanOrEqual(total);
  });

  it('has statistics of every block device', async () => {
    const list = await facts.diskStatistics.list();

    expect(list).toHaveLength(run('cat', '/proc/diskstats').trimEnd().split('\n').length);
    expect(list.every((entry) => Object.keys(entry.counters).length >= 11)).toBe(true);
  });

  it('has the name, the system and the time zone that its programs tell', async () => {
    const information = await facts.host.osInformation?.get();
    const zone = await facts.host.timeZone?.get();

    const [, sign = '', hours = '', minutes = ''] = /^([+-])(\d\d)(\d\d)\n$/.exec(run('date', '+%z')) ?? [];
    expect(await facts.host.hostName?.get()).toBe(run('uname', '-n').trim());
    expect(information).toMatchObject({ kernelRelease: run('uname', '-r').trim(), kernelVersion: run('uname', '-v').trim(), machine: run('uname', '-m').trim() });
    expect(information?.id).toBe(run('sh', '-c', '. /etc/os-release; echo "$ID"').trim());
    expect(zone?.offset).toBe(Number(`${sign}1`) * (Number(hours) * 3600 + Number(minutes) * 60) || 0);
    expect(zone?.zone).toBe(run('date', '+%Z').trim());
  });
});

describe('a native call', () => {
  it('for the size of what is not there fails with its path', async () => {
    await expect(addon.statFileSystem('/nonexistent')).rejects.toMatchObject({ os: { code: 'ENOENT', syscall: 'statvfs', path: '/nonexistent' } });
  });

  it('takes a path as bytes', async () => {
    expect((await addon.statFileSystem(Buffer.from('/'))).blocks).toBeGreaterThan(0n);
  });

  it('refuses a path with a NUL, which would be cut there', () => {
    expect(() => addon.statFileSystem(Buffer.from('/\0x'))).toThrow('Invalid argument');
  });

  it('for SMART of something else than NVMe fails', async () => {
    await expect(addon.nvmeSmartLog('/dev/null', 100)).rejects.toMatchObject({ os: { code: 'ENOTTY' } });
  });
});
