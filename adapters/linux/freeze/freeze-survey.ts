// SPDX-License-Identifier: Apache-2.0
import type { FreezeCandidate } from '../../../core/ports/freezing.ts';
import { BlockGraph, superblockId, writebackOf } from '../block/block-graph.ts';
import { attribute } from '../kernel-files.ts';
import { suspendedDevice } from '../block/suspended.ts';
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

/**
 * Every superblock in the agent's view, in mount order. Reads /proc, /sys and /dev alone, never a file system that it
 * reports on.
 *
 * @throws failed error when the list of mounts cannot be read
 */
export function surveyFileSystems(root = '', statDevice: StatDevice = statBlockDevice(root)): SurveyedFileSystem[] {
  const entries = mountEntries(root, statDevice);
  const graph = new BlockGraph(root, new MountTree(entries), statDevice);
  const withDevice: string[] = [];
  return mountedFileSystems(root, statDevice, entries).map(({ id, mounts, visible, leftOut }) => {
    const [oldest] = mounts;
    const backing = graph.backingOf(oldest);
    // What cannot be found out is taken to be as qemu-ga takes it: resting on everything that was mounted before.
    const ids = backing.complete ? [...backing.ids] : [...backing.ids, ...withDevice];
    const writeback = leftOut === undefined ? writebackOf(root, blockDeviceOf(oldest, statDevice)) : undefined;
    const suspended = leftOut === undefined ? suspendedDevice(root, blockDeviceOf(oldest, statDevice)) : undefined;
    if (leftOut === undefined) withDevice.push(id);
    return {
      visible,
      candidate: {
        id,
        mountPoints: [...new Set(mounts.map(({ mountPoint }) => mountPoint))],
        type: oldest.fsType,
        source: oldest.source,
        readOnly: isReadOnlySuperblock(oldest),
        backing: ids.filter((other) => other !== id),
        ...(leftOut !== undefined && { leftOut }),
        ...(suspended !== undefined && { suspended: `${suspended}, on which it lies, is suspended, and it would hang (dmsetup resume)` }),
        ...(writeback !== undefined && { dirtyBytes: writeback.dirtyBytes }),
        ...(writeback !== undefined && writeback.bytesPerSecond > 0n && {
          flushEstimateMs: Number((writeback.dirtyBytes * 1000n) / writeback.bytesPerSecond),
        }),
      },
    };
  });
}

/** The same without what they rest on, from the list of mounts alone: all that opening mount points takes. */
export function mountedFileSystems(
  root: string,
  statDevice: StatDevice = statBlockDevice(root),
  entries: readonly MountEntry[] = mountEntries(root, statDevice),
): MountedFileSystem[] {
  const tree = new MountTree(entries);
  const needsDevice = typesWithDevice(attribute(`${root}/proc/filesystems`) ?? '');
  return Array.from(groupBySuperblock(entries), ([id, mounts]) => {
    const visible = mounts.find((mount) => tree.isVisible(mount));
    return { id, mounts, visible, leftOut: whyLeftOut(mounts[0], visible, statDevice, needsDevice) };
  });
}

const mountEntries = (root: string, statDevice: StatDevice): readonly MountEntry[] =>
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

function whyLeftOut(
  entry: MountEntry,
  visible: MountEntry | undefined,
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
  if (visible === undefined) return { reason: 'covered', detail: 'other mounts cover every place where it is mounted' };
  return undefined;
}

/** `8:1`, also of a btrfs, which hides its disk behind an anonymous device. */
export function blockDeviceOf(entry: MountEntry, statDevice: StatDevice): string {
  const device = entry.major === 0 ? statDevice(entry.source) : undefined;
  return device === undefined ? superblockId(entry) : `${device.major}:${device.minor}`;
}
