// SPDX-License-Identifier: Apache-2.0
import type { FileSystemInfo, FileSystemUsage } from '../../core/ports/file-system.ts';
import { kernel32 } from './bindings/kernel32.ts';
import { addressesOfVolume } from './disk-address.ts';
import { type DiskNodes, diskNodes } from './disk-nodes.ts';
import { fileLane } from './lane.ts';
import { textOf } from './layout.ts';
import { type Volume, volumes } from './volumes.ts';
import { within } from '../shared/within.ts';

/** For what a volume says of itself; a disk that does not answer costs its entry the sizes. */
const patienceMs = 5_000;

/** Every volume with a file system. One that is not ready (an empty drive) is left out, as in qemu-ga 10.2. */
export const windowsUsage: FileSystemUsage = {
  async list() {
    const found: FileSystemInfo[] = [];
    // Asked once, for it opens every disk. Without it a disk has no controller, and everything else is still told.
    const nodes = (await within(patienceMs, diskNodes().catch(() => undefined))) ?? new Map<number, number>();
    for (const volume of await volumes()) {
      const info = await infoOf(volume, nodes);
      if (info !== undefined) found.push(info);
    }
    return found;
  },
};

async function infoOf(volume: Volume, nodes: DiskNodes): Promise<FileSystemInfo | undefined> {
  const type = await within(patienceMs, fileSystemType(volume.name));
  if (type === null) return undefined;
  return {
    name: volume.name,
    mountPoint: volume.paths[0] ?? 'System Reserved',
    type: type ?? 'unknown',
    ...(await within(patienceMs, sizesOf(volume.name))),
    disks: (await within(patienceMs, addressesOfVolume(volume.name, nodes))) ?? [],
  };
}

/** `NTFS`; `null` where there is none. */
async function fileSystemType(volume: string): Promise<string | null> {
  const type = Buffer.alloc(522);
  const { result } = await fileLane.run(() => kernel32.GetVolumeInformationW.async(volume, null, 0, [0], [0], [0], type, type.length / 2));
  return result === 0 ? null : textOf(type);
}

async function sizesOf(volume: string): Promise<Pick<FileSystemInfo, 'usedBytes' | 'totalBytes'>> {
  const [available, total, free] = [Buffer.alloc(8), Buffer.alloc(8), Buffer.alloc(8)];
  const { result } = await fileLane.run(() => kernel32.GetDiskFreeSpaceExW.async(volume, available, total, free));
  if (result === 0) return {};
  const totalBytes = total.readBigUInt64LE(0);
  return { usedBytes: totalBytes - free.readBigUInt64LE(0), totalBytes };
}
