// SPDX-License-Identifier: Apache-2.0
import { attribute, namesInIfAny, resolvedBelow } from '../kernel-files.ts';
import type { MountEntry, StatDevice } from './mounts.ts';
import type { MountTree } from './mount-tree.ts';

/** On which superblocks a file system rests. */
export interface Backing {
  /** Their devices, `8:1`. */
  readonly ids: ReadonlySet<string>;
  /** False: there is a backing file that can't be found from here (another mount namespace, deleted with its mount). */
  readonly complete: boolean;
}

/**
 * Finds what lies under a file system: from its block devices down through partitions, device-mapper, md and bcache
 * (`slaves/`), and from a loop device to the file system that holds its file; for an overlay, to those of its layers.
 *
 * Reads only sysfs and the list of mounts. `root` is put before every path: '' for the running system.
 */
export class BlockGraph {
  readonly #root: string;
  readonly #tree: MountTree;
  readonly #statDevice: StatDevice;
  readonly #devices = new Map<string, Backing>();
  #btrfs: ReadonlyMap<string, readonly string[]> | undefined;
  #isFixed = true;

  constructor(root: string, tree: MountTree, statDevice: StatDevice) {
    this.#root = root;
    this.#tree = tree;
    this.#statDevice = statDevice;
  }

  /**
   * Whether all that was found so far can only change with a mount or a uevent. Disks and loop devices; not what device-mapper,
   * md or bcache put together, nor a file system that may be given another device.
   */
  get isFixed(): boolean {
    return this.#isFixed;
  }

  backingOf(entry: MountEntry): Backing {
    const parts = this.#devicesOf(entry).map((device) => this.#below(device, new Set()));
    if (entry.fsType === 'overlay') parts.push(this.#layersOf(entry));
    return union(parts);
  }

  /** Block devices of a file system, `8:1`; several for btrfs, and for xfs with a log or realtime device of its own. */
  #devicesOf(entry: MountEntry): readonly string[] {
    const extra = ['logdev=', 'rtdev=', 'journal_path='].flatMap((option) => {
      const path = entry.superOptions.split(',').find((text) => text.startsWith(option))?.slice(option.length);
      return path === undefined ? [] : this.#nodeId(path);
    });
    if (entry.major !== 0) return [`${entry.major}:${entry.minor}`, ...extra];
    if (entry.source.startsWith('/dev/')) this.#isFixed = false;
    // A bcachefs of several devices has them all in its source: `/dev/sda:/dev/sdb`.
    const own = entry.source.split(':').flatMap((path) => this.#nodeId(path));
    const [first] = own;
    return entry.fsType === 'btrfs' && first !== undefined ? (this.#btrfsMembers().get(first) ?? own) : own;
  }

  #nodeId(path: string): readonly string[] {
    if (!path.startsWith('/dev/')) return [];
    const device = this.#statDevice(path);
    return device === undefined ? [] : [`${device.major}:${device.minor}`];
  }

  /** For each member device of a btrfs, all members: /sys/fs/btrfs/UUID/devices/loop0/dev. */
  #btrfsMembers(): ReadonlyMap<string, readonly string[]> {
    if (this.#btrfs !== undefined) return this.#btrfs;
    const members = new Map<string, readonly string[]>();
    for (const uuid of namesInIfAny(`${this.#root}/sys/fs/btrfs`)) {
      const directory = `${this.#root}/sys/fs/btrfs/${uuid}/devices`;
      const ids = namesInIfAny(directory).flatMap((name) => attribute(`${directory}/${name}/dev`) ?? []);
      for (const id of ids) members.set(id, ids);
    }
    this.#btrfs = members;
    return members;
  }

  /** `upperdir=/data/upper`, `lowerdir=/a:/b`; the kernel escapes a colon or comma in a name with a backslash. */
  #layersOf(entry: MountEntry): Backing {
    const paths = entry.superOptions
      .split(/(?<!\\),/)
      .flatMap((option) => {
        const match = /^(?:upperdir|workdir|lowerdir\+?|datadir\+?)=(.*)$/s.exec(option);
        return match?.[1] === undefined ? [] : match[1].split(/(?<!\\):+/);
      })
      .map((path) => path.replaceAll(/\\(.)/gs, '$1'));
    return union(paths.map((path) => this.#holderOf(path)));
  }

  /** What holds the content of a block device: nothing but itself for a disk. */
  #below(device: string, above: ReadonlySet<string>): Backing {
    const known = this.#devices.get(device);
    if (known !== undefined) return known;
    // A ring of devices cannot be set up; a sysfs that claims one must not hang the agent.
    if (above.has(device)) return nothing;
    const path = resolvedBelow(this.#root, `/sys/dev/block/${device}`);
    if (path === undefined) return nothing;
    const found = this.#explore(path, new Set([...above, device]));
    this.#devices.set(device, found);
    return found;
  }

  #explore(path: string, above: ReadonlySet<string>): Backing {
    const directory = `${this.#root}${path}`;
    if (attribute(`${directory}/partition`) !== undefined) {
      const disk = attribute(`${directory}/../dev`);
      return disk === undefined ? nothing : this.#below(disk, above);
    }
    const file = attribute(`${directory}/loop/backing_file`);
    const slaves = namesInIfAny(`${directory}/slaves`).flatMap((name) => attribute(`${directory}/slaves/${name}/dev`) ?? []);
    if (slaves.length > 0 || !plainDevice.test(path)) this.#isFixed = false;
    const parts = slaves.map((slave) => this.#below(slave, above));
    if (file !== undefined && file !== '') parts.push(this.#holderOf(file, above));
    return union(parts);
  }

  /** The superblock that a file or directory lies on; for a device node, what lies under the device. */
  #holderOf(path: string, above: ReadonlySet<string> = new Set()): Backing {
    // d_path() of the kernel: `/mnt/image (deleted)`, `(unreachable)/image`.
    const name = path.replace(/ \(deleted\)$/, '');
    if (!name.startsWith('/')) return unknown;
    if (name.startsWith('/dev/')) {
      const device = this.#statDevice(name);
      if (device !== undefined) return this.#below(`${device.major}:${device.minor}`, above);
    }
    const mount = this.#tree.resolve(name);
    return mount === undefined ? unknown : { ids: new Set([superblockId(mount)]), complete: true };
  }
}

/** The last component of the path of a whole disk or loop device, by what its driver calls it. */
const plainDevice = /\/(?:[hsv]d|xvd|nvme|mmcblk|loop|sr)[^/]*$/;

const nothing: Backing = { ids: new Set(), complete: true };
const unknown: Backing = { ids: new Set(), complete: false };

const union = (parts: readonly Backing[]): Backing => ({
  ids: new Set(parts.flatMap(({ ids }) => [...ids])),
  complete: parts.every(({ complete }) => complete),
});

/** Identity of a superblock in mountinfo: the same for all its mounts and subvolumes, anonymous devices included. */
export const superblockId = (entry: MountEntry): string => `${entry.major}:${entry.minor}`;

/**
 * Dirty bytes of the disk under a device and how fast it writes, from the writeback statistics in debugfs
 * (`BdiReclaimable`, `BdiWriteBandwidth: 102400 kBps`), where that is mounted and may be read.
 */
export function writebackOf(root: string, device: string): { readonly dirtyBytes: bigint; readonly bytesPerSecond: bigint } | undefined {
  const path = resolvedBelow(root, `/sys/dev/block/${device}`);
  const disk = path !== undefined && attribute(`${root}${path}/partition`) !== undefined
    ? attribute(`${root}${path}/../dev`)
    : device;
  const text = disk === undefined ? undefined : attribute(`${root}/sys/kernel/debug/bdi/${disk}/stats`);
  if (text === undefined) return undefined;
  const kilobytes = (name: string): bigint => BigInt(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(text)?.[1] ?? 0) * 1024n;
  return {
    dirtyBytes: kilobytes('BdiReclaimable') + kilobytes('BdiWriteback'),
    bytesPerSecond: kilobytes('BdiWriteBandwidth'),
  };
}

