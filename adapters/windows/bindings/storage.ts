// SPDX-License-Identifier: Apache-2.0
import { layout } from '../layout.ts';

/** Control codes and structures of winioctl.h and ntddscsi.h, for DeviceIoControl. */
export const IOCTL_STORAGE_GET_DEVICE_NUMBER = 0x002d1080;
export const IOCTL_STORAGE_QUERY_PROPERTY = 0x002d1400;
export const IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS = 0x00560000;
export const IOCTL_SCSI_GET_ADDRESS = 0x0004_1018;

export const STORAGE_DEVICE_NUMBER = layout('STORAGE_DEVICE_NUMBER', 'winioctl.h', 12, {
  DeviceType: [0, 'u32'], DeviceNumber: [4, 'u32'], PartitionNumber: [8, 'u32'],
});

export const STORAGE_PROPERTY_QUERY = layout('STORAGE_PROPERTY_QUERY', 'winioctl.h', 12, { PropertyId: [0, 'u32'], QueryType: [4, 'u32'] });

export const STORAGE_DEVICE_DESCRIPTOR = layout('STORAGE_DEVICE_DESCRIPTOR', 'winioctl.h', 40, {
  Version: [0, 'u32'], Size: [4, 'u32'], SerialNumberOffset: [24, 'u32'], BusType: [28, 'u32'],
});

export const DEVICE_TRIM_DESCRIPTOR = layout('DEVICE_TRIM_DESCRIPTOR', 'winioctl.h', 12, { Version: [0, 'u32'], Size: [4, 'u32'], TrimEnabled: [8, 'u8'] });

export const VOLUME_DISK_EXTENTS = layout('VOLUME_DISK_EXTENTS', 'winioctl.h', 32, { NumberOfDiskExtents: [0, 'u32'], Extents: [8, 'bytes24'] });

export const DISK_EXTENT = layout('DISK_EXTENT', 'winioctl.h', 24, {
  DiskNumber: [0, 'u32'], 'StartingOffset.QuadPart': [8, 'i64'], 'ExtentLength.QuadPart': [16, 'i64'],
});

export const SCSI_ADDRESS = layout('SCSI_ADDRESS', 'ntddscsi.h', 8, {
  Length: [0, 'u32'], PortNumber: [4, 'u8'], PathId: [5, 'u8'], TargetId: [6, 'u8'], Lun: [7, 'u8'],
});

