// SPDX-License-Identifier: Apache-2.0
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';

import { KeptSurvey } from '../../../adapters/linux/freeze/kept-survey.ts';
import { mountEntries, mountTable, surveyFileSystems, surveyWith, type MountTable } from '../../../adapters/linux/freeze/freeze-survey.ts';
import { MountTree } from '../../../adapters/linux/block/mount-tree.ts';
import { parseMountInfo } from '../../../adapters/linux/block/mounts.ts';
import { planFreeze } from '../../../core/freeze/plan.ts';

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true });
});

interface Device {
  readonly id: string;
  readonly name: string;
  /** A loop device's file. */
  readonly file?: string;
  /** Names of the devices under it. */
  readonly slaves?: readonly string[];
  readonly partitionOf?: string;
}

/** The /proc, /sys and /dev of a machine. */
class FakeRoot {
  readonly path = mkdtempSync(join(tmpdir(), 'concierge-survey-'));
  readonly #mounts: string[] = ['1 0 252:1 / / rw - ext4 /dev/vda1 rw'];
  readonly #devices = new Map<string, string>();

  constructor(...devices: readonly Device[]) {
    roots.push(this.path);
    this.#write('/proc/filesystems', 'nodev\tproc\nnodev\ttmpfs\n\text4\n\txfs\n\tbtrfs\n\tbcachefs\n');
    for (const device of [{ id: '252:0', name: 'vda' }, { id: '252:1', name: 'vda1', partitionOf: 'vda' }, ...devices]) this.#device(device);
  }

  /** Mounted on `/`, if not said otherwise. The identifiers are 2, 3, 4 … */
  mount(id: string, mountPoint: string, type = 'ext4', { source = '/dev/x', options = 'rw', parent = 1, root = '/' } = {}): this {
    this.#mounts.push(`${this.#mounts.length + 1} ${parent} ${id} ${root} ${mountPoint} rw - ${type} ${source} ${options}`);
    return this;
  }

  file(path: string, text: string): this {
    this.#write(path, text);
    return this;
  }

  readonly #statDevice = (path: string) => {
    const id = this.#devices.get(path);
    return id === undefined ? undefined : { major: Number(id.split(':')[0]), minor: Number(id.split(':')[1]) };
  };

  survey() {
    this.#write('/proc/self/mountinfo', `${this.#mounts.join('\n')}\n`);
    return surveyFileSystems(this.path, this.#statDevice);
  }

  get isFixed(): boolean {
    this.survey();
    return surveyWith(mountTable(mountEntries(this.path, this.#statDevice), this.path, this.#statDevice), this.path, this.#statDevice).isFixed;
  }

  candidate(mountPoint: string) {
    const found = this.survey().find(({ candidate }) => candidate.mountPoints.includes(mountPoint));
    if (found === undefined) throw new Error(`nothing is mounted at ${mountPoint}`);
    return found.candidate;
  }

  #device({ id, name, file, slaves = [], partitionOf }: Device): void {
    const directory = `/sys/devices/block/${partitionOf === undefined ? name : `${partitionOf}/${name}`}`;
    this.#devices.set(`/dev/${name}`, id);
    this.#write(`${directory}/dev`, `${id}\n`);
    if (partitionOf !== undefined) this.#write(`${directory}/partition`, '1\n');
    if (file !== undefined) this.#write(`${directory}/loop/backing_file`, `${file}\n`);
    for (const slave of slaves) this.#write(`${directory}/slaves/${slave}/dev`, `${this.#devices.get(`/dev/${slave}`)}\n`);
    mkdirSync(join(this.path, 'sys/dev/block'), { recursive: true });
    symlinkSync(join(this.path, directory), join(this.path, 'sys/dev/block', id));
  }

  #write(path: string, text: string): void {
    mkdirSync(dirname(join(this.path, path)), { recursive: true });
    writeFileSync(join(this.path, path), text);
  }
}

describe('what was found once', () => {
  it('changes with mounts and uevents alone where there are disks, partitions and loop devices', () => {
    expect(new FakeRoot({ id: '7:0', name: 'loop0', file: '/data/a.img' }, { id: '259:0', name: 'nvme0n1' })
      .mount('259:0', '/data').mount('7:0', '/mnt').isFixed).toBe(true);
  });

  it('can change without either where devices are put together of others', () => {
    expect(new FakeRoot({ id: '254:0', name: 'dm-0', slaves: ['vda'] }).mount('254:0', '/mnt').isFixed).toBe(false);
    expect(new FakeRoot({ id: '254:0', name: 'dm-0' }).mount('254:0', '/mnt').isFixed).toBe(false);
    expect(new FakeRoot({ id: '9:0', name: 'md0' }, { id: '7:0', name: 'loop0', file: '/dev/md0' }).mount('7:0', '/mnt').isFixed).toBe(false);
    expect(new FakeRoot({ id: '8:1', name: 'sda' }).mount('0:40', '/mnt', 'btrfs', { source: '/dev/sda' }).isFixed).toBe(false);
  });

  /** How often it is looked for, by what is found and what has become of the kernel's count since. */
  const looks = (isFixed: boolean, counts: readonly (string | undefined)[], tables = [{} as MountTable]): number => {
    let looked = 0;
    let turn = 0;
    const kept = new KeptSurvey(() => counts[turn]);
    for (turn = 0; turn < counts.length; turn += 1) {
      kept.of(tables[turn % tables.length] ?? ({} as MountTable), () => {
        looked += 1;
        return { found: [], isFixed };
      });
    }
    return looked;
  };

  it('is kept as long as neither the mounts nor the count of uevents change', () => {
    expect(looks(true, ['5', '5', '5'])).toBe(1);
    expect(looks(true, ['5', '6', '6', '7'])).toBe(3);
    expect(looks(true, ['5', '5', '5'], [{} as MountTable, {} as MountTable, {} as MountTable])).toBe(3);
  });

  it('is looked for every time where it can change unseen, or the kernel does not count', () => {
    expect(looks(false, ['5', '5', '5'])).toBe(3);
    expect(looks(true, [undefined, undefined])).toBe(2);
  });
});

describe('what a file system rests on', () => {
  it('is nothing for a partition of a disk', () => {
    const root = new FakeRoot();

    expect(root.candidate('/').backing).toEqual([]);
  });

  it('is the file system that holds a loop device\'s file, by the longest mount point', () => {
    const root = new FakeRoot({ id: '7:0', name: 'loop0', file: '/data/images/a.img' })
      .mount('8:1', '/data')
      .mount('8:2', '/data/images-of-others')
      .mount('7:0', '/mnt');

    expect(root.candidate('/mnt').backing).toEqual(['8:1']);
  });

  it('is found through a partition of a loop device', () => {
    const root = new FakeRoot({ id: '7:0', name: 'loop0', file: '/a.img' }, { id: '259:0', name: 'loop0p1', partitionOf: 'loop0' })
      .mount('259:0', '/mnt');

    expect(root.candidate('/mnt').backing).toEqual(['252:1']);
  });

  it('is found through mappings on mappings: LVM on md on two loop devices', () => {
    const root = new FakeRoot(
      { id: '7:0', name: 'loop0', file: '/one/a.img' },
      { id: '7:1', name: 'loop1', file: '/two/b.img' },
      { id: '9:0', name: 'md0', slaves: ['loop0', 'loop1'] },
      { id: '254:0', name: 'dm-0', slaves: ['md0'] },
    ).mount('8:1', '/one').mount('8:2', '/two').mount('254:0', '/lvm', 'xfs');

    expect(root.candidate('/lvm').backing).toEqual(['8:1', '8:2']);
  });

  it('is found for every member of a btrfs and for an external log of xfs', () => {
    const root = new FakeRoot(
      { id: '7:0', name: 'loop0', file: '/one/a.img' },
      { id: '7:1', name: 'loop1', file: '/two/b.img' },
      { id: '8:16', name: 'sdb' },
    )
      .file('/sys/fs/btrfs/uuid/devices/loop0/dev', '7:0\n')
      .file('/sys/fs/btrfs/uuid/devices/loop1/dev', '7:1\n')
      .mount('8:1', '/one').mount('8:2', '/two')
      .mount('0:40', '/btrfs', 'btrfs', { source: '/dev/loop0' })
      .mount('8:16', '/xfs', 'xfs', { source: '/dev/sdb', options: 'rw,logdev=/dev/loop1,noquota' });

    expect(root.candidate('/btrfs').backing).toEqual(['8:1', '8:2']);
    expect(root.candidate('/xfs').backing).toEqual(['8:2']);
  });

  it('is, for an overlay, what holds its layers', () => {
    const root = new FakeRoot()
      .mount('8:1', '/one').mount('8:2', '/two')
      .mount('0:50', '/merged', 'overlay', { source: 'overlay', options: String.raw`rw,lowerdir=/one/l\:x:/l,upperdir=/two/u,workdir=/two/w` });

    const { backing, leftOut } = root.candidate('/merged');

    expect(backing.toSorted()).toEqual(['252:1', '8:1', '8:2']);
    expect(leftOut?.reason).toBe('overlay');
  });

  it.each(['/deleted.img (deleted)', '/one/deleted.img (deleted)'])('is known for %s, which was deleted while in use', (file) => {
    const root = new FakeRoot({ id: '7:0', name: 'loop0', file }).mount('8:1', '/one').mount('7:0', '/mnt');

    expect(root.candidate('/mnt').backing).toEqual([file.startsWith('/one') ? '8:1' : '252:1']);
  });

  it('is everything mounted before, where the file lies out of sight', () => {
    const root = new FakeRoot({ id: '7:0', name: 'loop0', file: '(unreachable)/a.img' })
      .mount('8:1', '/one').mount('7:0', '/mnt').mount('8:2', '/later');

    expect(root.candidate('/mnt').backing).toEqual(['252:1', '8:1']);
  });

  it('does not go round in circles where sysfs does', () => {
    const root = new FakeRoot({ id: '254:0', name: 'dm-0' }, { id: '254:1', name: 'dm-1', slaves: ['dm-0'] })
      .file('/sys/devices/block/dm-0/slaves/dm-1/dev', '254:1\n')
      .mount('254:0', '/mnt');

    expect(root.candidate('/mnt').backing).toEqual([]);
  });
});

describe('what is left out', () => {
  it.each([
    ['0:30', 'tmpfs', 'tmpfs', 'pseudo'],
    ['0:31', 'nfs4', 'server:/export', 'network'],
    ['0:32', 'fuse.sshfs', 'host:', 'fuse'],
    ['7:9', 'fuseblk', '/dev/x', 'fuse'],
    ['7:10', 'squashfs', '/dev/x', 'read-only'],
    ['7:11', 'vfat', '/dev/x', 'not-freezable'],
    ['7:12', 'ocfs2', '/dev/x', 'not-freezable'],
    ['0:33', 'bcachefs', '/dev/a:/dev/b', 'no-device'],
    ['0:34', 'btrfs', 'UUID=1', 'no-device'],
  ])('%s %s from %s, as %s', (id, type, source, reason) => {
    const root = new FakeRoot().mount(id, '/mnt', type, { source });

    expect(root.candidate('/mnt').leftOut?.reason).toBe(reason);
  });

  it('is not a read-only file system, nor one of which only some mounts are covered', () => {
    const root = new FakeRoot()
      .mount('8:1', '/ro', 'ext4', { options: 'ro' })
      .mount('8:2', '/data').mount('8:2', '/bind').mount('0:40', '/data', 'tmpfs', { parent: 3 });

    expect(root.candidate('/ro')).toMatchObject({ readOnly: true, mountPoints: ['/ro'] });
    expect(root.candidate('/bind').leftOut).toBeUndefined();
    expect(root.candidate('/bind').mountPoints).toEqual(['/data', '/bind']);
  });

  it('is one that a mount on its mount point or above it hides', () => {
    const root = new FakeRoot()
      .mount('8:1', '/data').mount('0:40', '/data', 'tmpfs', { parent: 2 })
      .mount('8:2', '/up/in').mount('0:41', '/up', 'tmpfs');

    expect(root.survey().filter(({ visible }) => visible === undefined).map(({ candidate }) => candidate.id)).toEqual(['8:1', '8:2']);
    expect(root.candidate('/up/in').leftOut?.reason).toBe('covered');
  });
});

it('tells how much is dirty and how long that is likely to take, where debugfs says it of the disk', () => {
  const root = new FakeRoot().file(
    '/sys/kernel/debug/bdi/252:0/stats', 'BdiWriteback:  1024 kB\nBdiReclaimable:   3072 kB\nBdiWriteBandwidth:  2048 kBps\n');

  expect(root.candidate('/')).toMatchObject({ dirtyBytes: 4n * 1024n * 1024n, flushEstimateMs: 2_000 });
});

it('surveys and plans a thousand mounts, half of them loop devices on the other half', () => {
  const devices = Array.from({ length: 500 }, (_, index) => ({ id: `7:${index}`, name: `loop${index}`, file: `/disk${index}/image` }));
  const root = new FakeRoot(...devices);
  for (const [index, { id }] of devices.entries()) root.mount(`8:${index}`, `/disk${index}`).mount(id, `/loop${index}`);

  const plan = planFreeze(root.survey().map(({ candidate }) => candidate));

  expect(plan.levels.map((level) => level.length)).toEqual([501, 500]);
});

describe('where a path leads', () => {
  const tree = (text: string) => new MountTree(parseMountInfo(Buffer.from(text)));

  it('is the mount on top of a stack', () => {
    const mounts = tree('1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /m rw - ext4 b rw\n3 2 8:3 / /m rw - ext4 c rw\n4 3 8:4 / /m/sub rw - ext4 d rw\n');

    expect(['/', '/m', '/m/x', '/m/sub/x', '/mm'].map((path) => mounts.resolve(path)?.mountId)).toEqual([1, 3, 3, 4, 1]);
  });

  it('begins at the uppermost root', () => {
    const mounts = tree('1 1 0:2 / / rw - rootfs none rw\n2 1 8:1 / / rw - ext4 a rw\n3 2 8:2 / /m rw - ext4 b rw\n');

    expect(['/', '/m'].map((path) => mounts.resolve(path)?.mountId)).toEqual([2, 3]);
  });

  it('is unknown without any mount', () => {
    expect(tree('').resolve('/x')).toBeUndefined();
  });
});
