// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it, vi } from 'vitest';

import { linuxUsage, type FileSystemSize } from '../../../adapters/linux/block/usage.ts';
import type { FileSystemInfo } from '../../../core/ports/index.ts';
import { layOut, type Machine } from '../../fixtures/machines/load.ts';

const size: FileSystemSize = { fragmentSize: 4096n, blocks: 1000n, blocksFree: 400n, blocksAvailable: 350n };
const mountedOn = (...mountPoints: string[]): Machine =>
  layOut(['/proc/self/mountinfo <<', ...mountPoints.map((point, i) => `  ${i + 2} 1 8:${i} / ${point} rw - ext4 /dev/sd${i} rw`)].join('\n'));
const never = new Promise<never>(() => {});

describe('the size of a file system', () => {
  it('counts what is used, what an ordinary user can fill, and what root can', async () => {
    using guest = mountedOn('/data');
    const usage = linuxUsage(guest.root, async () => size);

    const [info] = await usage.list();

    expect(info).toMatchObject({ usedBytes: 600n * 4096n, totalBytes: 950n * 4096n, totalBytesPrivileged: 1000n * 4096n });
  });

  it('beyond 2^53 is exact', async () => {
    using guest = mountedOn('/huge');
    const usage = linuxUsage(guest.root, async () => ({ fragmentSize: 65_536n, blocks: 2n ** 47n + 1n, blocksFree: 0n, blocksAvailable: 0n }));

    const [info] = await usage.list();

    expect(info?.totalBytesPrivileged).toBe(2n ** 63n + 65_536n);
  });

  it('that cannot be asked is absent, and the others are there', async () => {
    using guest = mountedOn('/bad', '/good');
    const usage = linuxUsage(guest.root, async (path) => (path === '/bad' ? Promise.reject(new Error('EIO')) : size));

    const [bad, good] = await usage.list();

    expect(bad).toEqual({ name: '8:0', mountPoint: '/bad', type: 'ext4', disks: [] });
    expect(good).toHaveProperty('usedBytes');
  });

  it('that does not come in time is absent, and the others are there', async () => {
    using guest = mountedOn('/hung', '/good');
    const usage = linuxUsage(guest.root, async (path) => (path === '/hung' ? never : size), undefined, 1);

    const [hung, good] = await usage.list();

    expect(hung).not.toHaveProperty('usedBytes');
    expect(good).toHaveProperty('usedBytes');
  });

  it('is not asked for again while an earlier question hangs', async () => {
    using guest = mountedOn('/hung');
    const ask = vi.fn(async (): Promise<FileSystemSize> => never);
    const usage = linuxUsage(guest.root, ask, undefined, 1);

    await usage.list();
    await usage.list();

    expect(ask).toHaveBeenCalledTimes(1);
  });

  it('of many hung devices keeps few questions open', async () => {
    using guest = mountedOn(...Array.from({ length: 200 }, (_, i) => `/hung${i}`));
    const ask = vi.fn(async (): Promise<FileSystemSize> => never);
    const usage = linuxUsage(guest.root, ask, undefined, 1);

    const lists = [await usage.list(), await usage.list(), await usage.list()];

    expect(lists.map((list) => list.length)).toEqual([200, 200, 200]);
    expect(ask.mock.calls.length).toBeLessThanOrEqual(32);
  });

  it('is asked for by the bytes of the mount point, octal escapes undone', async () => {
    using guest = mountedOn('/a\\040b\\351');
    const ask = vi.fn(async () => size);

    const [info] = await linuxUsage(guest.root, ask).list();

    expect(ask).toHaveBeenCalledWith(Buffer.from([0x2f, 0x61, 0x20, 0x62, 0xe9]));
    expect(info?.mountPoint).toBe('/a b\uFFFD');
  });
});

describe('a file system that another one covers', () => {
  const mounts = [
    '/proc/self/mountinfo <<', '  20 1 8:1 / / rw - ext4 /dev/sda1 rw', '  21 20 8:2 / /a rw - ext4 /dev/sda2 rw',
    '  22 20 8:3 / /b rw - xfs /dev/sda3 rw', '  23 20 8:4 / /c/d rw - xfs /dev/sda4 rw',
    '  24 21 8:5 / /a rw - ext4 /dev/sda5 rw', '  25 20 0:40 / /c rw - tmpfs tmpfs rw', '  26 20 8:3 /sub /e rw - xfs /dev/sda3 rw',
    '  27 22 8:6 / /b rw - xfs /dev/sda6 rw',
  ].join('\n');
  const sizesOf: Readonly<Record<string, bigint>> = { '/': 1n, '/a': 5n, '/b': 6n, '/e': 3n };
  const sizeAt = (path: string | Buffer): FileSystemSize => ({ ...size, blocks: 1000n + (sizesOf[String(path)] ?? 99n) });
  const blocksOf = (list: readonly FileSystemInfo[]): Readonly<Record<string, bigint | undefined>> =>
    Object.fromEntries(list.map(({ name, totalBytesPrivileged }) => [name, totalBytesPrivileged && totalBytesPrivileged / 4096n]));
  const own = { '8:1': 1001n, '8:2': undefined, '8:3': 1003n, '8:4': undefined, '8:5': 1005n, '8:6': 1006n };

  it('has its own size where another mount of it can be reached, else none', async () => {
    using guest = layOut(mounts);
    const ask = vi.fn(async (path: string | Buffer) => sizeAt(path));

    const list = await linuxUsage(guest.root, ask).list();

    expect(blocksOf(list)).toEqual(own);
    expect(list.map(({ mountPoint }) => mountPoint)).toEqual(['/', '/a', '/b', '/c/d', '/a', '/b']);
    expect(ask.mock.calls.map(([path]) => path)).toEqual(['/', '/e', '/a', '/b']);
  });

  it('and what covers it are not mixed up by the quick ways either', async () => {
    using guest = layOut(mounts);
    const usage = linuxUsage(guest.root, async (path) => sizeAt(path), undefined, 2000, {
      now: sizeAt,
      together: async (paths) => paths.map(sizeAt),
    });

    expect(blocksOf(await usage.list())).toEqual(own);
    expect(blocksOf(await usage.list())).toEqual(own);
  });

  it('is told of by its device where the list of mounts is the older one', async () => {
    using guest = layOut('/proc/self/mounts <<\n  /dev/sda1 / ext4 rw 0 0');

    const list = await linuxUsage(guest.root, async () => size, () => ({ major: 8, minor: 1 })).list();

    expect(list.map(({ name, usedBytes }) => [name, usedBytes])).toEqual([['8:1', 600n * 4096n]]);
  });
});

describe('btrfs', () => {
  it('appears once, under the name of the device that its source is', async () => {
    using guest = layOut([
      '/proc/self/mountinfo <<', '  2 1 0:31 /@ / rw - btrfs /dev/vda2 rw', '  3 2 0:31 /@home /home rw - btrfs /dev/vda2 rw',
      '/sys/devices/x/block/vda/vda2/uevent = DEVNAME=vda2', '/sys/dev/block/254:2 -> ../../devices/x/block/vda/vda2',
    ].join('\n'));

    const list = await linuxUsage(guest.root, async () => size, () => ({ major: 254, minor: 2 })).list();

    expect(list.map(({ name, mountPoint }) => [name, mountPoint])).toEqual([['vda2', '/']]);
  });
});

describe('sizes that are asked for together', () => {
  const quick = (answers: Promise<readonly (FileSystemSize | undefined)[]>) => ({ now: vi.fn(() => size), together: vi.fn(() => answers) });
  const xfs = (...mountPoints: string[]): Machine =>
    layOut(['/proc/self/mountinfo <<', ...mountPoints.map((point, i) => `  ${i + 2} 1 8:${i} / ${point} rw - xfs /dev/sd${i} rw`)].join('\n'));

  it('cost one question, and one that failed is absent', async () => {
    using guest = xfs('/good', '/bad');
    const ways = quick(Promise.resolve([size, undefined]));
    const ask = vi.fn(async () => size);

    const [good, bad] = await linuxUsage(guest.root, ask, undefined, 2000, ways).list();

    expect(good).toHaveProperty('usedBytes', 600n * 4096n);
    expect(bad).not.toHaveProperty('usedBytes');
    expect(ask).not.toHaveBeenCalled();
  });

  it('are asked for one by one when one of them hangs, and so for as long as it does', async () => {
    using guest = xfs('/hung', '/good');
    const ways = quick(never);
    const usage = linuxUsage(guest.root, async (path) => (path === '/hung' ? never : size), undefined, 4, ways);

    const lists = [await usage.list(), await usage.list()];

    expect(lists.map((list) => list.map((info) => info.usedBytes))).toEqual([[undefined, 600n * 4096n], [undefined, 600n * 4096n]]);
    expect(ways.together).toHaveBeenCalledTimes(1);
  });

  it('of ext4 are told at once, but not where projects have limits', async () => {
    using guest = layOut('/proc/self/mountinfo <<\n  2 1 8:0 / /plain rw - ext4 /dev/sda rw\n  3 1 8:1 / /projects rw - ext4 /dev/sdb rw,prjquota');
    const ways = quick(Promise.resolve([size]));

    await linuxUsage(guest.root, async () => size, undefined, 2000, ways).list();

    expect(ways.now.mock.calls).toEqual([['/plain']]);
    expect(ways.together.mock.calls).toEqual([[['/projects']]]);
  });
});
