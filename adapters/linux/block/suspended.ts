// SPDX-License-Identifier: Apache-2.0
import { attribute, namesInIfAny, resolvedBelow } from '../kernel-files.ts';

/**
 * The device-mapper device that somebody has suspended, of those on which a block device (`253:0`) rests or that it is, as
 * `dm-0 (vg-home)`. FITHAW of an ext4 or btrfs on it waits, uninterruptibly, until it is resumed, and so does FIFREEZE of a
 * btrfs on kernels up to 6.12. LVM does this for a moment for a snapshot; what stays so is left from a tool that broke off.
 */
export function suspendedDevices(root: string): (device: string) => string | undefined {
  // Most machines have no device-mapper devices, and need not be looked through for one.
  const any = namesInIfAny(`${root}/sys/block`).some((name) => name.startsWith('dm-'));
  return (device) => (any ? below(root, device, 0) : undefined);
}

/** As deep as a stack of devices can sensibly be. */
const deepest = 32;

function below(root: string, device: string, depth: number): string | undefined {
  const path = resolvedBelow(root, `/sys/dev/block/${device}`);
  if (path === undefined || depth > deepest) return undefined;
  const directory = `${root}${path}`;
  if (attribute(`${directory}/dm/suspended`) === '1') {
    const name = attribute(`${directory}/dm/name`);
    const own = path.slice(path.lastIndexOf('/') + 1);
    return name === undefined || name === '' ? own : `${own} (${name})`;
  }
  if (attribute(`${directory}/partition`) !== undefined) {
    const disk = attribute(`${directory}/../dev`);
    return disk === undefined ? undefined : below(root, disk, depth + 1);
  }
  for (const slave of namesInIfAny(`${directory}/slaves`)) {
    const number = attribute(`${directory}/slaves/${slave}/dev`);
    const found = number === undefined ? undefined : below(root, number, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
