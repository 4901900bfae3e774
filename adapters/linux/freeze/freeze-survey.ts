// SPDX-License-Identifier: Apache-2.0
import type { FreezeCandidate } from '../../../core/ports/freezing.ts';
import { BlockGraph, superblockId, writebackOf } from '../block/block-graph.ts';
import { attribute } from '../kernel-files.ts';
import { suspendedDevices } from '../block/suspended.ts';
import { MountTree } from '../block/mount-tree.ts';
import { isReadOnlySuperblock, readDeviceMounts, readMountInfo, statBlockDevice, type MountEntry, type StatDevice } from '../block/mounts.ts';

/** A superblock, and the mount through which it can be reached. */
export interface MountedFileSystem {
  readonly id: string;
  /** Oldest first. */
  readonly mounts: readonly [MountEntry, ...MountEntry[]];
  /** `undefined` where other mounts cover all of its own. */
  readonly visible: MountEntry | undefined;
  readonly leftOut: FreezeCandidate['leftOut'];
}

export interface SurveyedFileSystem {
  readonly candidate: FreezeCandidate;
  readonly visible: MountEntry | undefined;
}

/** The list of mounts, and what it says without a look at anything else. */
export interface MountTable {
  readonly tree: MountTree;
  /** In mount order. */
  readonly fileSystems: readonly MountedFileSystem[];
}

/**
 * Every superblock in the agent's view, in mount order. Reads /proc, /sys and /dev alone, never a file system that it
 * reports on.
 *
 * @throws failed error when the list of mounts cannot be read
 */
export const surveyFileSystems = (root = '', statDevice: StatDevice = statBlockDevice(root)): SurveyedFileSystem[] =>
  surveyTable(mountTable(mountEntries(root, statDevice), root, statDevice), root, statDevice);

export const surveyTable = (table: MountTable, root: string, statDevice?: StatDevice): SurveyedFileSystem[] => surveyWith(table, root, statDevice).found;

/** `isFixed`: it can only change with a mount or a uevent, but for what is still to be written back. */
export function surveyWith({ tree, fileSystems }: MountTable, root: string, statDevice: StatDevice = statBlockDevice(root)): { readonly found: SurveyedFileSystem[]; readonly isFixed: boolean } {
  const graph = new BlockGraph(root, tree, statDevice);
  const suspended = suspendedDevices(root);
  const withDevice: string[] = [];
  const all = fileSystems.map((found) => {
    const { id, mounts, leftOut } = found;
    // Most of many mounts: nothing lies under them.
    if (leftOut?.reason === 'pseudo') return surveyed(found, { ...factsOf(found), backing: [], leftOut });
    const [oldest] = mounts;
    const backing = graph.backingOf(oldest);
    // What cannot be found out is taken to be as qemu-ga takes it: resting on everything that was mounted before.
    const ids = backing.complete ? [...backing.ids] : [...backing.ids, ...withDevice];
    const facts = { ...factsOf(found), backing: ids.filter((other) => other !== id) };
    if (leftOut !== undefined) return surveyed(found, { ...facts, leftOut });
    withDevice.push(id);
    const device = blockDeviceOf(oldest, statDevice);
    const writeback = writebackOf(root, device);
    const hangsOn = suspended(device);
    return surveyed(found, {
      ...facts,
      ...(hangsOn !== undefined && { suspended: `${hangsOn}, on which it lies, is suspended, and it would hang (dmsetup resume)` }),
      ...(writeback !== undefined && { dirtyBytes: writeback.dirtyBytes }),
      ...(writeback !== undefined && writeback.bytesPerSecond > 0n && {
        flushEstimateMs: Number((writeback.dirtyBytes * 1000n) / writeback.bytesPerSecond),
      }),
    });
  });
  return { found: all, isFixed: graph.isFixed };
}

const surveyed = (found: MountedFileSystem, candidate: FreezeCandidate): SurveyedFileSystem => ({
  candidate,
  get visible() {
    return found.visible;
  },
});

const factsOf = ({ id, mounts }: MountedFileSystem): Pick<FreezeCandidate, 'id' | 'mountPoints' | 'type' | 'source' | 'readOnly'> => {
  const [oldest] = mounts;
  return {
    id,
    mountPoints: mounts.length === 1 ? [oldest.mountPoint] : [...new Set(mounts.map(({ mountPoint }) => mountPoint))],
    type: oldest.fsType,
    source: oldest.source,
    readOnly: isReadOnlySuperblock(oldest),
  };
};

/** The same without what they rest on, from the list of mounts alone: all that opening mount points takes. */
export const mountedFileSystems = (root: string, statDevice: StatDevice = statBlockDevice(root)): readonly MountedFileSystem[] =>
  mountTable(mountEntries(root, statDevice), root, statDevice).fileSystems;

export function mountTable(entries: readonly MountEntry[], root: string, statDevice: StatDevice = statBlockDevice(root)): MountTable {
  const tree = new MountTree(entries);
  const needsDevice = typesWithDevice(attribute(`${root}/proc/filesystems`) ?? '');
  const fileSystems = Array.from(groupBySuperblock(entries), ([id, mounts]) =>
    new Mounted(id, mounts, tree, whyNotFrozen(mounts[0], statDevice, needsDevice)));
  return { tree, fileSystems };
}

/** Where it is visible is looked for only if somebody wants to know: most mounts are of what is left out for what it is. */
class Mounted implements MountedFileSystem {
  readonly id: string;
  readonly mounts: MountedFileSystem['mounts'];
  readonly leftOut: MountedFileSystem['leftOut'];
  readonly #tree: MountTree;
  #visible: MountEntry | null | undefined;

  constructor(id: string, mounts: MountedFileSystem['mounts'], tree: MountTree, because: MountedFileSystem['leftOut']) {
    this.id = id;
    this.mounts = mounts;
    this.#tree = tree;
    this.leftOut = because ?? (this.visible === undefined ? covered : undefined);
  }

  get visible(): MountEntry | undefined {
    this.#visible ??= this.mounts.find((mount) => this.#tree.isVisible(mount)) ?? null;
    return this.#visible ?? undefined;
  }
}

const covered: NonNullable<FreezeCandidate['leftOut']> = { reason: 'covered', detail: 'other mounts cover every place where it is mounted' };

export const mountEntries = (root: string, statDevice: StatDevice = statBlockDevice(root)): readonly MountEntry[] =>
  readMountInfo(root) ?? readDeviceMounts(root, statDevice);

function groupBySuperblock(entries: readonly MountEntry[]): Map<string, [MountEntry, ...MountEntry[]]> {
  const groups = new Map<string, [MountEntry, ...MountEntry[]]>();
  for (const entry of entries) {
    const id = superblockId(entry);
    const group = groups.get(id);
    if (group === undefined) groups.set(id, [entry]);
    else group.push(entry);
  }
  return groups;
}

/** Types without `nodev` in /proc/filesystems. */
const typesWithDevice = (text: string): ReadonlySet<string> =>
  new Set(text.split('\n').flatMap((line) => (line.startsWith('nodev') || line.trim() === '' ? [] : line.trim())));

const network = new Set(['nfs', 'nfs4', 'cifs', 'smb3', 'smbfs', 'ceph', '9p', 'virtiofs', 'afs', 'ncpfs', 'lustre', 'gfs', 'orangefs', 'coda']);
const overlays = new Set(['overlay', 'overlayfs', 'aufs']);
/** Never written to, whatever the mount says. */
const readOnlyByNature = new Set(['squashfs', 'iso9660', 'erofs', 'cramfs', 'romfs']);
/** Have no freeze operation in Linux: FIFREEZE answers EOPNOTSUPP. */
const withoutFreeze = new Set([
  'vfat', 'msdos', 'exfat', 'ntfs', 'ntfs3', 'hfs', 'hfsplus', 'udf', 'minix', 'affs', 'adfs', 'ufs', 'zfs', 'omfs', 'bfs', 'hpfs', 'ocfs2',
]);

/** By what it is, wherever it is mounted. */
function whyNotFrozen(
  entry: MountEntry,
  statDevice: StatDevice,
  needsDevice: ReadonlySet<string>,
): FreezeCandidate['leftOut'] {
  const type = entry.fsType;
  if (network.has(type)) return { reason: 'network', detail: `${type} keeps its data on another machine` };
  if (type === 'fuse' || type === 'fuseblk' || type.startsWith('fuse.')) {
    return { reason: 'fuse', detail: `${type} is served by a program, which cannot be frozen` };
  }
  if (overlays.has(type)) return { reason: 'overlay', detail: 'its layers are frozen with the file systems that hold them' };
  if (readOnlyByNature.has(type)) return { reason: 'read-only', detail: `${type} is never written to` };
  if (withoutFreeze.has(type)) return { reason: 'not-freezable', detail: `Linux cannot freeze ${type}` };
  const hasDevice = entry.major !== 0 || (type === 'btrfs' && statDevice(entry.source) !== undefined);
  if (!hasDevice) {
    return needsDevice.has(type)
      ? { reason: 'no-device', detail: `${type} from ${entry.source}, which is no block device here` }
      : { reason: 'pseudo', detail: `${type} keeps nothing on a disk` };
  }
  return undefined;
}

/** `8:1`, also of a btrfs, which hides its disk behind an anonymous device. */
export function blockDeviceOf(entry: MountEntry, statDevice: StatDevice): string {
  const device = entry.major === 0 ? statDevice(entry.source) : undefined;
  return device === undefined ? superblockId(entry) : `${device.major}:${device.minor}`;
}
