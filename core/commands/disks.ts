// SPDX-License-Identifier: Apache-2.0
import { withContext } from '../errors/agent-error.ts';
import type { DiskAddress, DiskCounters, DiskInfo, FileSystemInfo, NvmeSmart } from '../ports/index.ts';
import { guestGetDisks, guestGetDiskstats, guestGetFsinfo } from '../schema/disks.ts';
import { available, handler } from './command.ts';
import { present } from './present.ts';

export const getDisks = handler(guestGetDisks, async ({ backend }) => {
  try {
    const disks = await available(backend.fileSystem?.disks, 'fileSystem.disks').list();
    return disks.map(diskInfo).toReversed();
  } catch (error) {
    throw withContext('failed to list disks', error);
  }
});

export const getFsinfo = handler(guestGetFsinfo, async ({ backend }) => {
  try {
    const fileSystems = await available(backend.fileSystem?.usage, 'fileSystem.usage').list();
    return fileSystems.map(fileSystemInfo).toReversed();
  } catch (error) {
    throw withContext('failed to list file systems', error);
  }
});

export const getDiskstats = handler(guestGetDiskstats, async ({ backend }) => {
  try {
    const devices = await available(backend.fileSystem?.diskStatistics, 'fileSystem.diskStatistics').list();
    return devices.map(({ name, major, minor, counters }) => ({ name, major, minor, stats: diskStats(counters) }));
  } catch (error) {
    throw withContext('failed to read disk statistics', error);
  }
});

const diskInfo = ({ name, partition, dependencies, address, alias, smart }: DiskInfo) => present({
  name,
  partition,
  dependencies,
  address: address === undefined ? undefined : diskAddress(address),
  alias,
  smart: smart === undefined ? undefined : nvmeSmart(smart),
});

const fileSystemInfo = (info: FileSystemInfo) => present({
  name: info.name,
  mountpoint: info.mountPoint,
  type: info.type,
  'used-bytes': info.usedBytes,
  'total-bytes': info.totalBytes,
  'total-bytes-privileged': info.totalBytesPrivileged,
  disk: info.disks.map(diskAddress),
});

const diskAddress = ({ pciController, busType, bus, target, unit, serial, dev, ccwAddress }: DiskAddress) => present({
  'pci-controller': pciController,
  'bus-type': busType,
  bus,
  target,
  unit,
  serial,
  dev,
  'ccw-address': ccwAddress,
});

const low = (counter: bigint): bigint => BigInt.asUintN(64, counter);
const high = (counter: bigint): bigint => BigInt.asUintN(64, counter >> 64n);

const nvmeSmart = (smart: NvmeSmart) => ({
  type: 'nvme' as const,
  'critical-warning': smart.criticalWarning,
  temperature: smart.temperature,
  'available-spare': smart.availableSpare,
  'available-spare-threshold': smart.availableSpareThreshold,
  'percentage-used': smart.percentageUsed,
  'data-units-read-lo': low(smart.dataUnitsRead),
  'data-units-read-hi': high(smart.dataUnitsRead),
  'data-units-written-lo': low(smart.dataUnitsWritten),
  'data-units-written-hi': high(smart.dataUnitsWritten),
  'host-read-commands-lo': low(smart.hostReadCommands),
  'host-read-commands-hi': high(smart.hostReadCommands),
  'host-write-commands-lo': low(smart.hostWriteCommands),
  'host-write-commands-hi': high(smart.hostWriteCommands),
  'controller-busy-time-lo': low(smart.controllerBusyTime),
  'controller-busy-time-hi': high(smart.controllerBusyTime),
  'power-cycles-lo': low(smart.powerCycles),
  'power-cycles-hi': high(smart.powerCycles),
  'power-on-hours-lo': low(smart.powerOnHours),
  'power-on-hours-hi': high(smart.powerOnHours),
  'unsafe-shutdowns-lo': low(smart.unsafeShutdowns),
  'unsafe-shutdowns-hi': high(smart.unsafeShutdowns),
  'media-errors-lo': low(smart.mediaErrors),
  'media-errors-hi': high(smart.mediaErrors),
  'number-of-error-log-entries-lo': low(smart.numberOfErrorLogEntries),
  'number-of-error-log-entries-hi': high(smart.numberOfErrorLogEntries),
});

const diskStats = (counters: DiskCounters) => present({
  'read-sectors': counters.readSectors,
  'read-ios': counters.readIos,
  'read-merges': counters.readMerges,
  'write-sectors': counters.writeSectors,
  'write-ios': counters.writeIos,
  'write-merges': counters.writeMerges,
  'discard-sectors': counters.discardSectors,
  'discard-ios': counters.discardIos,
  'discard-merges': counters.discardMerges,
  'flush-ios': counters.flushIos,
  'read-ticks': counters.readTicks,
  'write-ticks': counters.writeTicks,
  'discard-ticks': counters.discardTicks,
  'flush-ticks': counters.flushTicks,
  'ios-pgr': counters.iosInProgress,
  'total-ticks': counters.totalTicks,
  'weight-ticks': counters.weightTicks,
});
