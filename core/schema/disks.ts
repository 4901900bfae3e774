// SPDX-License-Identifier: Apache-2.0
import { command } from './command.ts';
import { guestNvmeSmart } from './nvme-smart.ts';
import { bool, enumOf, int, listOf, optional, required, str, struct, uint64 } from './types.ts';

export const guestPciAddress = struct(
  'GuestPCIAddress',
  {
    domain: required(int, 'PCI domain.'),
    bus: required(int, 'Bus.'),
    slot: required(int, 'Slot.'),
    function: required(int, 'Function.'),
  },
  ['bus', 'slot', 'domain', 'function'],
);

export const guestCcwAddress = struct('GuestCCWAddress', {
  cssid: required(int, 'Channel subsystem image.'),
  ssid: required(int, 'Subchannel set.'),
  subchno: required(int, 'Subchannel number.'),
  devno: required(int, 'Device number.'),
});

export const guestDiskBusType = enumOf('GuestDiskBusType', [
  'ide', 'fdc', 'scsi', 'virtio', 'xen', 'usb', 'uml', 'sata', 'sd', 'unknown', 'ieee1394', 'ssa', 'fibre', 'raid', 'iscsi',
  'sas', 'mmc', 'virtual', 'file-backed-virtual', 'nvme',
]);

export const guestDiskAddress = struct(
  'GuestDiskAddress',
  {
    'pci-controller': required(guestPciAddress, 'Address of the controller; all −1 where it is not a known PCI device.'),
    'bus-type': required(guestDiskBusType, 'How the disk is attached.'),
    bus: required(int, 'Bus or channel.'),
    target: required(int, 'Target.'),
    unit: required(int, 'Unit or LUN.'),
    serial: optional(str, 'Serial number.'),
    dev: optional(str, 'Device node (POSIX) or device name (Windows).'),
    'ccw-address': optional(guestCcwAddress, 'Channel address on s390.'),
  },
  ['ccw-address', 'serial', 'bus-type', 'bus', 'unit', 'pci-controller', 'dev', 'target'],
);

export const guestDiskInfo = struct(
  'GuestDiskInfo',
  {
    name: required(str, 'Device node (POSIX) or device name (Windows).'),
    partition: required(bool, 'Whether it is a partition.'),
    dependencies: optional(listOf(str), 'Devices that it lies on: the disk of a partition, the members of a RAID.'),
    address: optional(guestDiskAddress, 'Where its hardware is.'),
    alias: optional(str, 'Name in the device mapper.'),
    smart: optional(guestNvmeSmart, 'What the disk says of its health.'),
  },
  ['name', 'smart', 'dependencies', 'partition', 'address', 'alias'],
);

export const guestGetDisks = command({
  name: 'guest-get-disks',
  since: '5.2',
  group: 'observe',
  summary: 'Lists disks and partitions.',
  result: listOf(guestDiskInfo),
  resultDoc: 'The one found last comes first, so that partitions stand before their disk.',
  needs: 'fileSystem.disks',
});

export const guestFilesystemInfo = struct(
  'GuestFilesystemInfo',
  {
    name: required(str, 'Device (`vda1`, `dm-0`), or the volume on Windows.'),
    mountpoint: required(str, 'Where it is mounted.'),
    type: required(str, 'Type of the file system.'),
    'used-bytes': optional(uint64, 'Bytes in use.'),
    'total-bytes': optional(uint64, 'Bytes that an ordinary user could use in all.'),
    'total-bytes-privileged': optional(uint64, 'Bytes in all, those reserved for root included.'),
    disk: required(listOf(guestDiskAddress), 'The disks on which it lies.'),
  },
  ['name', 'total-bytes', 'total-bytes-privileged', 'mountpoint', 'disk', 'used-bytes', 'type'],
);

export const guestGetFsinfo = command({
  name: 'guest-get-fsinfo',
  since: '2.2',
  group: 'observe',
  summary: 'Lists mounted file systems that have a disk, with their sizes and disks.',
  result: listOf(guestFilesystemInfo),
  resultDoc: 'The one mounted last comes first.',
  needs: 'fileSystem.usage',
});

export const guestDiskStats = struct(
  'GuestDiskStats',
  {
    'read-sectors': optional(uint64, 'Sectors of 512 bytes read.'),
    'read-ios': optional(uint64, 'Reads completed.'),
    'read-merges': optional(uint64, 'Reads merged.'),
    'write-sectors': optional(uint64, 'Sectors written.'),
    'write-ios': optional(uint64, 'Writes completed.'),
    'write-merges': optional(uint64, 'Writes merged.'),
    'discard-sectors': optional(uint64, 'Sectors discarded.'),
    'discard-ios': optional(uint64, 'Discards completed.'),
    'discard-merges': optional(uint64, 'Discards merged.'),
    'flush-ios': optional(uint64, 'Flushes completed.'),
    'read-ticks': optional(uint64, 'Milliseconds spent reading.'),
    'write-ticks': optional(uint64, 'Milliseconds spent writing.'),
    'discard-ticks': optional(uint64, 'Milliseconds spent discarding.'),
    'flush-ticks': optional(uint64, 'Milliseconds spent flushing.'),
    'ios-pgr': optional(uint64, 'Operations in progress.'),
    'total-ticks': optional(uint64, 'Milliseconds in which the device was busy.'),
    'weight-ticks': optional(uint64, 'Milliseconds of all operations together.'),
  },
  [
    'discard-sectors', 'write-ios', 'discard-ios', 'discard-ticks', 'weight-ticks', 'read-ios', 'flush-ios', 'write-sectors',
    'write-merges', 'write-ticks', 'ios-pgr', 'read-sectors', 'read-merges', 'total-ticks', 'discard-merges', 'flush-ticks',
    'read-ticks',
  ],
);

export const guestDiskStatsInfo = struct(
  'GuestDiskStatsInfo',
  {
    name: required(str, 'Name of the device in the kernel.'),
    major: required(uint64, 'Major number.'),
    minor: required(uint64, 'Minor number.'),
    stats: required(guestDiskStats, 'Counters since boot.'),
  },
  ['name', 'stats', 'minor', 'major'],
);

export const guestGetDiskstats = command({
  name: 'guest-get-diskstats',
  since: '7.1',
  group: 'observe',
  summary: 'Tells how much has been read from and written to each block device.',
  result: listOf(guestDiskStatsInfo),
  resultDoc: "In the kernel's order, partitions included; counters that it does not keep are absent.",
  needs: 'fileSystem.diskStatistics',
});
