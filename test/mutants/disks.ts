// SPDX-License-Identifier: Apache-2.0
import { posixError, type DiskInfo, type FileSystemInfo, type Trimming } from '../../kit/index.ts';
import { listing, planted, type Mutant } from './mutant.ts';

const usage = 'fileSystem.usage';
const disks = 'fileSystem.disks';
const statistics = 'fileSystem.diskStatistics';
const trimming = 'fileSystem.trimming';

const volume: FileSystemInfo = { name: 'vdz1', mountPoint: '/vdz1', type: 'ext4', disks: [] };
const disk: DiskInfo = { name: '/dev/vdz', partition: false, dependencies: [] };
const partition: DiskInfo = { name: '/dev/vdz1', partition: true, dependencies: ['/dev/vdz'] };

/** Faults of disks and what lies on them. */
export const diskMutants: readonly Mutant[] = [
  {
    fault: 'sizes of file systems are numbers', group: usage, caughtBy: 'with sizes that fit each other',
    plant: listing(usage, (list) => [...list, { ...volume, usedBytes: 1, totalBytes: 2 }]),
  },
  {
    fault: 'more is used of a file system than there is of it', group: usage, caughtBy: 'with sizes that fit each other',
    plant: listing(usage, (list) => [...list, { ...volume, usedBytes: 3n, totalBytes: 1n, totalBytesPrivileged: 2n }]),
  },
  {
    fault: 'a file system is there once for each mount', group: usage, caughtBy: 'every file system is there once',
    plant: listing(usage, (list) => [volume, ...list, volume]),
  },
  {
    fault: 'an unknown PCI address is 0 in parts', group: usage, caughtBy: 'every file system is there once',
    plant: listing(usage, (list) => [...list, {
      ...volume, disks: [{ pciController: { domain: 0, bus: 0, slot: -1, function: -1 }, busType: 'virtio', bus: 0, target: 0, unit: 0 }],
    }]),
  },
  {
    fault: 'a file system that others lie on is left out', group: usage, caughtBy: 'a file system that is known to be mounted is in the list', fakeOnly: true,
    plant: listing<FileSystemInfo>(usage, (list) => list.filter(({ mountPoint }) => mountPoint !== '/data')),
  },
  {
    fault: 'a disk is there once for each path to it', group: disks, caughtBy: 'every device is there once, a disk before its partitions',
    plant: listing(disks, (list) => [disk, ...list, disk]),
  },
  {
    fault: 'partitions come before their disks', group: disks, caughtBy: 'every device is there once, a disk before its partitions',
    plant: listing(disks, (list) => [partition, disk, ...list]),
  },
  {
    fault: 'a partition rests on nothing', group: disks, caughtBy: 'every device is there once, a disk before its partitions',
    plant: listing(disks, (list) => [disk, { ...partition, dependencies: [] }, ...list]),
  },
  {
    fault: 'the temperature of an NVMe disk has a fraction', group: disks, caughtBy: 'the health of an NVMe disk is given in whole counters',
    plant: listing(disks, (list) => [...list, { ...disk, smart: { temperature: 310.15 } }]),
  },
  {
    fault: 'counters of disks are numbers', group: statistics, caughtBy: 'counters are exact, and those that are not kept are left out',
    plant: listing(statistics, (list) => [...list, { name: 'vdz', major: 252, minor: 0, counters: { readSectors: 8 } }]),
  },
  {
    fault: 'counters that the kernel does not keep are undefined', group: statistics, caughtBy: 'counters are exact, and those that are not kept are left out',
    plant: listing(statistics, (list) => [...list, { name: 'vdz', major: 252, minor: 0, counters: { flushIos: undefined } }]),
  },
  {
    fault: 'a file system is trimmed once for each mount', group: trimming, caughtBy: 'every file system is an entry with what was discarded', fakeOnly: true,
    plant: planted<Trimming>(trimming, (original) => ({ trim: async (minimum: bigint) => [...await original.trim(minimum), ...await original.trim(minimum)] })),
  },
  {
    fault: 'a file system that cannot be trimmed has an empty reason', group: trimming, caughtBy: 'every file system is an entry with what was discarded', fakeOnly: true,
    plant: planted<Trimming>(trimming, (original) => ({ trim: async (minimum: bigint) => [...await original.trim(minimum), { path: '/cd', error: '' }] })),
  },
  {
    fault: 'a range that is too large is an error of the call', group: trimming, caughtBy: 'a smallest range that no file system has is an error of entries', fakeOnly: true,
    plant: planted<Trimming>(trimming, (original) => ({ trim: async (minimum: bigint) => {
      if (minimum > 2n ** 40n) throw posixError('EINVAL');
      return original.trim(minimum);
    } })),
  },
  {
    fault: 'a trim does not look at the smallest range', group: trimming, caughtBy: 'a smallest range that no file system has is an error of entries', fakeOnly: true,
    plant: planted<Trimming>(trimming, (original) => ({ trim: async () => (await original.trim(0n)).map(({ path }) => ({ path, trimmed: 4096n, minimum: 0n })) })),
  },
];
