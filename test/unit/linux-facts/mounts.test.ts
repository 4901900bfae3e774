// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { AgentError } from '../../../core/errors/agent-error.ts';
import {
  deviceMounts, isReadOnlySuperblock, mountPath, mountsOfTable, parseMountInfo, readDeviceMounts,
  type MountEntry, type StatDevice,
} from '../../../adapters/linux/block/mounts.ts';
import { deviceNumbers } from '../../../adapters/linux/block/device-numbers.ts';

const parse = (...lines: (string | Buffer)[]): MountEntry[] =>
  parseMountInfo(Buffer.concat(lines.map((line) => Buffer.concat([Buffer.from(line), Buffer.from('\n')]))));
const noDevice: StatDevice = () => undefined;
const pointsOf = (entries: readonly MountEntry[]): string[] => entries.map((entry) => entry.mountPoint);

describe('a line of mountinfo', () => {
  it('is taken apart into its ten columns', () => {
    const [entry] = parse('36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue');

    expect(entry).toEqual({
      mountId: 36, parentId: 35, major: 98, minor: 0, root: '/mnt1', mountPoint: '/mnt2', options: 'rw,noatime',
      optionalFields: ['master:1', 'shared:7'], fsType: 'ext3', source: '/dev/root', superOptions: 'rw,errors=continue',
    });
  });

  it('may lack optional fields', () => {
    const [entry] = parse('27 1 254:0 / / ro,relatime - ext4 /dev/vda ro');

    expect(entry?.optionalFields).toEqual([]);
    expect(entry && isReadOnlySuperblock(entry)).toBe(true);
  });

  it('has octal escapes in its names undone, a backslash and UTF-8 included', () => {
    const [entry] = parse('1 0 8:1 / /a\\040b\\011c\\134d\\\\e\\303\\266 rw - ext4 /dev/x\\040y rw');

    expect(entry?.mountPoint).toBe('/a b\tc\\d\\eö');
    expect(entry?.source).toBe('/dev/x y');
  });

  it('keeps what only looks like an escape', () => {
    const [entry] = parse('1 0 8:1 / /a\\4bc\\999 rw - ext4 /dev/x rw');

    expect(entry?.mountPoint).toBe('/a\\4bc\\999');
  });

  it('with a name that is no UTF-8 gives valid text and keeps the bytes for the kernel', () => {
    const line = Buffer.concat([Buffer.from('1 0 8:1 / /caf'), Buffer.from([0xe9]), Buffer.from(' rw - vfat /dev/x rw')]);

    const [entry] = parse(line);

    expect(entry?.mountPoint).toBe('/caf\uFFFD');
    expect(entry && mountPath(entry)).toEqual(Buffer.from([0x2f, 0x63, 0x61, 0x66, 0xe9]));
  });

  it('with valid UTF-8 is reached by its text', () => {
    const [entry] = parse('1 0 8:1 / /größe rw - ext4 /dev/x rw');

    expect(entry && mountPath(entry)).toBe('/größe');
  });

  it('may have an empty source', () => {
    const [entry] = parse('1 0 8:1 / /m rw - ext4  rw,x');

    expect(entry).toMatchObject({ source: '', superOptions: 'rw,x' });
  });

  it.each([
    '', '   ', 'garbage', '1 0 8:1 / /m rw ext4 /dev/x rw', '1 0 8 / /m rw - ext4 /dev/x rw', 'x 0 8:1 / /m rw - ext4 /dev/x rw',
    '1 0 8:1 / /m rw -', '1 0 8:1 / /m rw - ext4', '1 0 -8:1 / /m rw - ext4 /dev/x rw',
  ])('in another form is left out: %j', (line) => {
    const entries = parse(line, '1 0 8:1 / /good rw - ext4 /dev/x rw');

    expect(entries.map((entry) => entry.mountPoint)).toEqual(['/good']);
  });
});

describe('the mounts of block devices', () => {
  it('are in mount order, without file systems that have no device', () => {
    const entries = parse(
      '1 0 0:5 / /proc rw - proc proc rw', '2 0 8:2 / / rw - ext4 /dev/sda2 rw', '3 2 0:30 / /run rw - tmpfs tmpfs rw',
      '4 2 8:1 / /boot ro - vfat /dev/sda1 ro', '5 2 7:0 / /iso ro - iso9660 /dev/loop0 ro', '6 2 0:40 / /net rw - nfs4 h:/x rw',
    );

    expect(pointsOf(deviceMounts(entries, noDevice))).toEqual(['/', '/boot', '/iso']);
  });

  it('are listed once per device, the first mount of it', () => {
    const entries = parse(
      '2 0 8:2 / / rw - ext4 /dev/sda2 rw', '3 2 8:2 /srv /bind rw - ext4 /dev/sda2 rw', '4 2 8:2 / / rw - ext4 /dev/sda2 rw',
    );

    expect(deviceMounts(entries, noDevice).map((entry) => entry.mountId)).toEqual([2]);
  });

  it('contain btrfs by the numbers of its source, its subvolumes once', () => {
    const entries = parse(
      '2 0 0:31 /@ / rw - btrfs /dev/vda2 rw', '3 2 0:31 /@home /home rw - btrfs /dev/vda2 rw',
      '4 2 0:32 / /lost rw - btrfs /dev/gone rw',
    );

    const kept = deviceMounts(entries, (path) => (path === '/dev/vda2' ? { major: 254, minor: 2 } : undefined));

    expect(kept).toEqual([{ ...entries[0], major: 254, minor: 2 }]);
  });

  it('of a hundred thousand lines are found in one pass', () => {
    const lines = Array.from({ length: 100_000 }, (_, i) =>
      `${i + 2} 1 ${i % 3 === 0 ? 0 : 8}:${i} / /mnt/dir\\040${i} rw,relatime shared:${i} - ext4 /dev/sd${i} rw`);

    const kept = deviceMounts(parseMountInfo(Buffer.from(lines.join('\n'))), noDevice);

    expect(kept).toHaveLength(66_666);
    expect(kept.at(-1)?.mountPoint).toBe('/mnt/dir 99998');
  });
});

describe('without mountinfo', () => {
  it('the older table is read: no network mounts, no bind mounts, one unknown source', () => {
    const table = Buffer.from([
      '# comment', 'proc /proc proc rw 0 0', '/dev/root / ext4 rw 0 0', '/dev/missing /second ext4 rw 0 0',
      '/dev/sda1 /boot\\040x vfat ro 0 0', '/dev/sda1 /again vfat rw 0 0', '/srv /bind none rw,bind 0 0', '//host/share /smb cifs rw 0 0', '',
    ].join('\n'));

    const kept = mountsOfTable(
      table, (path) => (path === '/dev/sda1' ? { major: 8, minor: 1 } : undefined), (path) => path === '/srv');

    expect(kept.map(({ major, minor, mountPoint, fsType }) => ({ major, minor, mountPoint, fsType }))).toEqual([
      { major: 0, minor: 0, mountPoint: '/', fsType: 'ext4' },
      { major: 8, minor: 1, mountPoint: '/boot x', fsType: 'vfat' },
    ]);
  });

  it('and without that table the whole list fails in the words of the reference', () => {
    let thrown: unknown;
    try { readDeviceMounts('/nonexistent'); } catch (error) { thrown = error; }

    expect(AgentError.is(thrown) && thrown.message).toBe("failed to open mtab file: '/proc/self/mounts'");
  });
});

describe('a packed device number', () => {
  it.each([[0x801n, 8, 1], [0xfe00n, 254, 0], [0x10300n, 259, 0], [0x1003ffn, 3, 511], [0x1000_0000_0000n, 0x1000, 0]] as const)(
    '%d is %d:%d', (packed, major, minor) => {
      expect(deviceNumbers(packed)).toEqual({ major, minor });
    });
});
