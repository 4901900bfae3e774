// SPDX-License-Identifier: Apache-2.0
import { attribute, keyValueLines } from '../kernel-files.ts';
import { virtioSerial } from '../facts/virtio-serials.ts';

/** What the kernel's uevent and udev's database say of one block device. Absent members are unknown. */
export interface BlockDeviceIdentity {
  /** Device node, `/dev/vda1`. */
  readonly node?: string;
  readonly serial?: string;
  /** Name of a device-mapper device. */
  readonly mapperName?: string;
}

/**
 * Reads what udev knows without its library: the node's name from the `uevent` file, properties from the text files of
 * the database, `/run/udev/data/b254:1` with lines such as `E:ID_SERIAL=0QEMU_QEMU_HARDDISK_drive-scsi0`.
 *
 * @param devicePath below `root`, the resolved directory of a disk or partition: `/sys/devices/…/block/vda/vda1`
 */
export function identifyBlockDevice(root: string, devicePath: string): BlockDeviceIdentity {
  const event = keyValueLines(attribute(`${root}${devicePath}/uevent`) ?? '');
  const name = event.get('DEVNAME');
  const record = attribute(`${root}/run/udev/data/b${event.get('MAJOR') ?? ''}:${event.get('MINOR') ?? ''}`);
  const properties = record === undefined ? undefined : propertiesOf(record);
  const serial = properties === undefined ? serialWithoutUdev(root, devicePath, event.get('DISKSEQ')) : properties.get('ID_SERIAL');
  // Only device-mapper devices have the directory: `/sys/devices/virtual/block/dm-0`.
  const mapperName = properties?.get('DM_NAME') ?? (devicePath.includes('/dm-') ? attribute(`${root}${devicePath}/dm/name`) : undefined);
  return {
    ...(name !== undefined && name !== '' && { node: name.startsWith('/') ? name : `/dev/${name}` }),
    ...(serial !== undefined && serial !== '' && { serial }),
    ...(mapperName !== undefined && mapperName !== '' && { mapperName }),
  };
}

/** `E:KEY=VALUE` lines among those of other kinds. */
function propertiesOf(record: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of record.split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 2 && line.startsWith('E:')) values.set(line.slice(2, equals), line.slice(equals + 1));
  }
  return values;
}

/** virtio-blk has its serial in sysfs, which is what udev's own rules make ID_SERIAL from. */
const serialWithoutUdev = (root: string, devicePath: string, sequence: string | undefined): string | undefined =>
  /\/virtio\d+\/block\//.test(devicePath)
    ? virtioSerial(root, devicePath.replace(/(\/block\/[^/]+).*/, '$1'), sequence)
    : undefined;
