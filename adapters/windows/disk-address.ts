// SPDX-License-Identifier: Apache-2.0
import type { DiskAddress, DiskBusType, PciAddress } from '../../core/ports/file-system.ts';
import {
  DISK_EXTENT, IOCTL_SCSI_GET_ADDRESS, IOCTL_STORAGE_QUERY_PROPERTY, IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS, SCSI_ADDRESS,
  STORAGE_DEVICE_DESCRIPTOR, STORAGE_PROPERTY_QUERY, VOLUME_DISK_EXTENTS,
} from './bindings/storage.ts';
import { control, withDevice } from './device-control.ts';
import { readFields, structure } from './layout.ts';
import type { DiskNodes } from './disk-nodes.ts';
import { pciAddressOf } from './pci-address.ts';

/** STORAGE_BUS_TYPE of ntddstor.h, by its number. The reference calls Fibre Channel `ssa`. */
export const busTypes: Readonly<Record<number, readonly [name: string, busType: DiskBusType]>> = {
  1: ['BusTypeScsi', 'scsi'], 2: ['BusTypeAtapi', 'ide'], 3: ['BusTypeAta', 'ide'], 4: ['BusType1394', 'ieee1394'], 5: ['BusTypeSsa', 'ssa'],
  6: ['BusTypeFibre', 'fibre'], 7: ['BusTypeUsb', 'usb'], 8: ['BusTypeRAID', 'raid'], 9: ['BusTypeiScsi', 'iscsi'], 10: ['BusTypeSas', 'sas'],
  11: ['BusTypeSata', 'sata'], 12: ['BusTypeSd', 'sd'], 13: ['BusTypeMmc', 'mmc'], 14: ['BusTypeVirtual', 'virtual'],
  15: ['BusTypeFileBackedVirtual', 'file-backed-virtual'], 17: ['BusTypeNvme', 'nvme'],
};

const addressed: ReadonlySet<DiskBusType> = new Set(['scsi', 'ide', 'raid', 'sas']);

const nowhere: PciAddress = { domain: -1, bus: -1, slot: -1, function: -1 };

/** Every disk on which a volume lies, each once for every extent (qemu-ga 10.2); a CD-ROM is its own. */
export async function addressesOfVolume(volume: string, nodes: DiskNodes): Promise<DiskAddress[]> {
  // Without the last separator: the device and not the root of its file system.
  const device = volume.replace(/\\$/, '');
  const numbers = await withDevice(device, extentsOf);
  if (numbers === undefined) return [];
  if (numbers === 'none') {
    const address = await addressOf(device);
    return address === undefined ? [] : [{ ...address, dev: volume }];
  }
  const addresses: DiskAddress[] = [];
  for (const number of numbers) {
    const address = await addressOfDisk(number, nodes);
    if (address !== undefined) addresses.push(address);
  }
  return addresses;
}

/** `\\.\PhysicalDrive0` and its address; `undefined` where the disk does not answer. */
export async function addressOfDisk(number: number, nodes: DiskNodes): Promise<DiskAddress | undefined> {
  const dev = `\\\\.\\PhysicalDrive${number}`;
  const address = await addressOf(dev, nodes.get(number));
  return address === undefined ? undefined : { ...address, dev };
}

async function extentsOf(handle: bigint): Promise<readonly number[] | 'none'> {
  // Room for 64 extents: a volume of more disks than that is told with these.
  const answer = await control(handle, IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS, null, VOLUME_DISK_EXTENTS.fields.Extents[0] + 64 * DISK_EXTENT.size);
  if (answer === undefined) return 'none';
  const { NumberOfDiskExtents: count } = readFields(VOLUME_DISK_EXTENTS, answer);
  return Array.from({ length: Math.min(count, 64) }, (_, index) =>
    readFields(DISK_EXTENT, answer, VOLUME_DISK_EXTENTS.fields.Extents[0] + index * DISK_EXTENT.size).DiskNumber).toReversed();
}

async function addressOf(device: string, diskNode?: number): Promise<Omit<DiskAddress, 'dev'> | undefined> {
  return withDevice(device, async (handle) => {
    const descriptor = await control(handle, IOCTL_STORAGE_QUERY_PROPERTY, structure(STORAGE_PROPERTY_QUERY), 4096);
    if (descriptor === undefined) return undefined;
    const { BusType, SerialNumberOffset } = readFields(STORAGE_DEVICE_DESCRIPTOR, descriptor);
    const busType = busTypes[BusType]?.[1] ?? 'unknown';
    const serial = serialAt(descriptor, SerialNumberOffset);
    const scsi = addressed.has(busType) ? await scsiAddress(handle) : undefined;
    const node = busType === 'usb' ? undefined : diskNode;
    return {
      pciController: (node === undefined ? undefined : pciAddressOf(node)) ?? nowhere,
      busType,
      bus: scsi?.PathId ?? 0,
      target: scsi?.TargetId ?? 0,
      unit: scsi?.Lun ?? 0,
      ...(serial === undefined ? {} : { serial }),
    };
  });
}

/** Padded with blanks by many drivers; hosts compare it with what they gave the disk. */
function serialAt(descriptor: Buffer, offset: number): string | undefined {
  if (offset === 0 || offset >= descriptor.length) return undefined;
  const end = descriptor.indexOf(0, offset);
  const text = descriptor.toString('latin1', offset, end < 0 ? descriptor.length : end).trim();
  return text === '' ? undefined : text;
}

async function scsiAddress(handle: bigint) {
  const answer = await control(handle, IOCTL_SCSI_GET_ADDRESS, null, SCSI_ADDRESS.size);
  return answer === undefined ? undefined : readFields(SCSI_ADDRESS, answer);
}
