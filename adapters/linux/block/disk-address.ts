// SPDX-License-Identifier: Apache-2.0
import type { CcwAddress, DiskAddress, DiskBusType, PciAddress } from '../../../core/ports/index.ts';
import { type BlockDeviceIdentity, identifyBlockDevice } from './block-device.ts';
import { attribute, deviceBehind, linkName, namesInIfAny, resolvedBelow } from '../kernel-files.ts';
import { pciDriver, type DiskNumbering } from './pci-drivers.ts';

/** Device-mapper, md and loop devices lie here: they have no hardware of their own, but `slaves`. */
export const isVirtual = (devicePath: string): boolean => devicePath.includes('/devices/virtual/block/');

/** Stacks deeper than this are not followed (the kernel's own limit for stacked file systems is 2, LVM on md is 2). */
const stackLimit = 32;

/**
 * Every disk under a block device, each once: the device itself where it is hardware, else all that it is made of.
 *
 * @param devicePath below `root`, resolved: `/sys/devices/pci0000:00/…/block/vda/vda1`
 */
export function disksUnder(root: string, devicePath: string): DiskAddress[] {
  const found = new Map<string, DiskAddress>();
  const seen = new Set<string>();
  const visit = (path: string, depth: number): void => {
    if (seen.has(path) || depth > stackLimit) return;
    seen.add(path);
    if (!isVirtual(path)) {
      const address = diskAddress(root, path);
      if (address !== undefined) found.set(path, address);
      return;
    }
    for (const name of namesInIfAny(`${root}${path}/slaves`)) {
      const slave = deviceBehind(root, `${path}/slaves/${name}`);
      if (slave !== undefined) visit(slave, depth + 1);
    }
  };
  visit(devicePath, 0);
  return [...found.values()];
}

/** Where the hardware is: what sysfs paths tell. */
interface Attachment {
  readonly pciController?: PciAddress;
  readonly busType: DiskBusType;
  readonly bus?: number;
  readonly target?: number;
  readonly unit?: number;
  readonly ccwAddress?: CcwAddress;
}

const noPciController: PciAddress = { domain: -1, bus: -1, slot: -1, function: -1 };

/**
 * Address of a disk or partition, `undefined` where neither its hardware nor its name is known.
 * What vanishes while it is read is unknown.
 */
export function diskAddress(
  root: string,
  devicePath: string,
  { node, serial }: BlockDeviceIdentity = identifyBlockDevice(root, devicePath),
): DiskAddress | undefined {
  const attachment = attachmentOf(root, devicePath);
  if (attachment === undefined && node === undefined && serial === undefined) return undefined;
  return {
    pciController: attachment?.pciController ?? noPciController,
    busType: attachment?.busType ?? 'unknown',
    bus: attachment?.bus ?? 0,
    target: attachment?.target ?? 0,
    unit: attachment?.unit ?? 0,
    ...(serial !== undefined && { serial }),
    ...(node !== undefined && { dev: node }),
    ...(attachment?.ccwAddress !== undefined && { ccwAddress: attachment.ccwAddress }),
  };
}

function attachmentOf(root: string, devicePath: string): Attachment | undefined {
  const path = hardwarePath(root, devicePath);
  if (path.includes('/devices/pci')) return onPci(root, path);
  if (path.includes('/devices/css')) return onChannelSubsystem(path);
  return onOtherBus(root, path);
}

/**
 * A namespace of an NVMe subsystem with several paths has no controller in its own path
 * (`/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1`); the subsystem links to its controllers.
 */
function hardwarePath(root: string, devicePath: string): string {
  const subsystem = /^(.*\/virtual\/nvme-subsystem\/[^/]+)(\/.*)$/.exec(devicePath);
  if (subsystem === null) return devicePath;
  const [, directory = '', rest = ''] = subsystem;
  for (const name of namesInIfAny(`${root}${directory}`).filter((entry) => /^nvme\d+$/.test(entry))) {
    const controller = resolvedBelow(root, `${directory}/${name}`);
    if (controller?.includes('/devices/pci') === true) return `${controller}${rest}`;
  }
  return devicePath;
}

// -- PCI ------------------------------------------------------------------------------------------------------

/** `0000:00:05.0`; domains of a VMD have five digits. */
const pciFunction = /^([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$/;

/** Goes from the host bridge towards the disk to the first controller whose driver is known; bridges are passed. */
function onPci(root: string, path: string): Attachment | undefined {
  const parts = path.split('/');
  for (const [index, part] of parts.entries()) {
    const match = pciFunction.exec(part);
    if (match === null) continue;
    const controllerPath = parts.slice(0, index + 1).join('/');
    const driver = linkName(`${root}${controllerPath}/driver`);
    const found = driver === undefined ? undefined : byDriver(root, driver, controllerPath, path);
    if (found === undefined) continue;
    const [domain = 0, bus = 0, slot = 0, fn = 0] = match.slice(1).map((digits) => Number.parseInt(digits, 16));
    return { pciController: { domain, bus, slot, function: fn }, ...found };
  }
  return undefined;
}

function byDriver(root: string, driver: string, controllerPath: string, path: string): Attachment | undefined {
  if (driver === 'virtio-pci') return onVirtio(path);
  if (driver === 'sdhci-pci') return onMemoryCardHost(root, path);
  const known = pciDriver(driver);
  return known === undefined ? undefined : { busType: known.busType, ...numbers(root, known.numbering, controllerPath, path) };
}

function numbers(root: string, numbering: DiskNumbering, controllerPath: string, path: string): Omit<Attachment, 'busType'> {
  switch (numbering) {
    case 'none': return {};
    case 'scsi': return scsiNumbers(path);
    case 'target-as-unit': return { unit: scsiNumbers(path).target ?? 0 };
    case 'port': return { unit: portNumber(root, controllerPath, path) };
    case 'ide': return { bus: portNumber(root, controllerPath, path), unit: scsiNumbers(path).target ?? 0 };
    default: return numbering satisfies never;
  }
}

/** Channel, target and LUN from `/target2:0:1/2:0:1:5`; empty where it is no SCSI path. */
function scsiNumbers(path: string): { bus?: number; target?: number; unit?: number } {
  const match = /\/target\d+:\d+:\d+\/\d+:(\d+):(\d+):(\d+)(?:\/|$)/.exec(path);
  return match === null ? {} : { bus: Number(match[1]), target: Number(match[2]), unit: Number(match[3]) };
}

/** Which port of its controller: libata numbers ports (`ata3`) across all controllers, so that their order tells. */
function portNumber(root: string, controllerPath: string, path: string): number {
  const below = path.slice(controllerPath.length + 1).split('/');
  for (const prefix of ['ata', 'host']) {
    const pattern = new RegExp(`^${prefix}(\\d+)$`);
    const own = below.find((part) => pattern.test(part));
    if (own === undefined) continue;
    const ports = namesInIfAny(`${root}${controllerPath}`)
      .filter((name) => pattern.test(name))
      .sort((a, b) => Number(a.slice(prefix.length)) - Number(b.slice(prefix.length)));
    return Math.max(0, ports.indexOf(own));
  }
  return 0;
}

// -- other buses ----------------------------------------------------------------------------------------------

/** virtio-scsi has SCSI targets, virtio-blk nothing to number. */
function onVirtio(path: string): Attachment {
  const scsi = scsiNumbers(path);
  return scsi.unit === undefined ? { busType: 'virtio' } : { busType: 'scsi', ...scsi };
}

/** s390: `/devices/css0/0.0.0003/0.0.0002/virtio1/block/vda`, subchannel and then device, all hexadecimal. */
function onChannelSubsystem(path: string): Attachment | undefined {
  const match = /\/css[0-9a-f]+\/([0-9a-f]+)\.([0-9a-f]+)\.([0-9a-f]+)\/[0-9a-f]+\.[0-9a-f]+\.([0-9a-f]+)\//.exec(path);
  if (match === null) return undefined;
  const [cssid = 0, ssid = 0, subchno = 0, devno = 0] = match.slice(1).map((digits) => Number.parseInt(digits, 16));
  const virtio: Attachment = path.includes('/virtio') ? onVirtio(path) : { busType: 'unknown' };
  return { ...virtio, ccwAddress: { cssid, ssid, subchno, devno } };
}

function onOtherBus(root: string, path: string): Attachment | undefined {
  // virtio-mmio: `/devices/platform/a003e00.virtio_mmio/virtio3/block/vda`
  if (/\/virtio\d+\//.test(path) && path.includes('/block')) return onVirtio(path);
  // Xen's front end: `/devices/vbd-51712/block/xvda`
  if (/\/devices\/vbd-\d+\/block\//.test(path)) return { busType: 'xen' };
  if (/\/usb\d+\//.test(path)) return { busType: 'usb' };
  if (path.includes('/nvme-subsystem/') || path.includes('/nvme-fabrics/')) return { busType: 'nvme' };
  return onMemoryCardHost(root, path);
}

/** `…/mmc_host/mmc0/mmc0:0001/block/mmcblk0`: the card says what it is. */
function onMemoryCardHost(root: string, path: string): Attachment | undefined {
  const card = /^.*\/mmc_host\/[^/]+\/[^/]+/.exec(path);
  if (card === null) return undefined;
  const type = attribute(`${root}${card[0]}/type`);
  return { busType: type === 'SD' ? 'sd' : type === 'MMC' ? 'mmc' : 'unknown' };
}
