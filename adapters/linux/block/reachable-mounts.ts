// SPDX-License-Identifier: Apache-2.0
import { MountTree } from './mount-tree.ts';
import { deviceMounts, mountedDevice, readDeviceMounts, readMountInfo, statBlockDevice, type MountEntry, type StatDevice } from './mounts.ts';

/** A file system with a block device of its own. */
export interface ReachableMount {
  /** Its oldest mount, which names it. */
  readonly entry: MountEntry;
  /** The mount through which open(2) reaches it; `undefined` where other mounts cover all of its own. */
  readonly through: MountEntry | undefined;
}

const trees = new WeakMap<readonly MountEntry[], MountTree>();

/** Of a list that is remembered as long as nothing is mounted, so that its tree is. */
function treeOf(entries: readonly MountEntry[]): MountTree {
  const known = trees.get(entries);
  if (known !== undefined) return known;
  const tree = new MountTree(entries);
  trees.set(entries, tree);
  return tree;
}

/**
 * The list of `readDeviceMounts`, and how to get to each: what lies at a mount point may be another file system, which
 * covers the one that was mounted there first.
 *
 * @throws failed error when no list of mounts can be read
 */
export function readReachableMounts(root: string, statDevice: StatDevice = statBlockDevice(root)): ReachableMount[] {
  const entries = readMountInfo(root);
  // The older list does not tell what covers what.
  if (entries === undefined) return readDeviceMounts(root, statDevice).map((entry) => ({ entry, through: entry }));
  const tree = treeOf(entries);
  return deviceMounts(entries, statDevice).map((entry) => ({
    entry,
    through: tree.isVisible(entry) ? entry : entries.find((other) => isOf(entry, other, statDevice) && tree.isVisible(other)),
  }));
}

function isOf({ major, minor }: MountEntry, other: MountEntry, statDevice: StatDevice): boolean {
  const device = mountedDevice(other, statDevice);
  return device !== undefined && device.major === major && device.minor === minor;
}
