import { attribute, keyValueLines } from './kernel-files.ts';

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
  const serial = properties === undefined ? virtioSerial(root, devicePath) : properties.get('ID_SERIAL');
  const mapperName = properties?.get('DM_NAME') ?? attribute(`${root}${devicePath}/dm/name`);
  return {
    ...(name !== undefined && name !== '' && { node: name.startsWith('/') ? name : `/dev/${name}` }),
    ...(serial !== undefined && serial !== '' && { serial }),
    ...(mapperName !== undefined && mapperName !== '' && { mapperName }),
  };
}

function propertiesOf(record: string): Map<string, string> {
  const lines = record.split('\n').filter((line) => line.startsWith('E:')).map((line) => line.slice(2));
  return keyValueLines(lines.join('\n'));
}

/** Where no udev runs: virtio-blk has its serial in sysfs, which is what udev's own rules make ID_SERIAL from. */
const virtioSerial = (root: string, devicePath: string): string | undefined =>
  /\/virtio\d+\/block\//.test(devicePath)
    ? attribute(`${root}${devicePath.replace(/(\/block\/[^/]+).*/, '$1')}/serial`)
    : undefined;
