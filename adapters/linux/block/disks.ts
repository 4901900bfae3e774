// SPDX-License-Identifier: Apache-2.0
import type { DiskInfo, Disks } from '../../../core/ports/index.ts';
import { identifyBlockDevice } from './block-device.ts';
import { diskAddress, isVirtual } from './disk-address.ts';
import { attribute, deviceBehind, failedBecause, namesIn, namesInIfAny, readText } from '../kernel-files.ts';
import { parseNvmeSmart } from './nvme-smart.ts';
import { withSerials } from '../facts/virtio-serials.ts';

/** Reads the 512 bytes of NVMe log page 0x02 from a device node, in bounded time. @throws os error */
export type ReadNvmeSmartLog = (node: string) => Promise<Uint8Array>;

/**
 * guest-get-disks from `/sys/block`. `root` is put before every path: '' for the running system.
 * A disk that vanishes meanwhile, that has no size (an empty drive, an unused loop device) or no node is left out.
 */
export function linuxDisks(root: string, readSmartLog: ReadNvmeSmartLog): Disks {
  return {
    list: async () => {
      const groups = await withSerials(() => withoutUnused(root, diskNames(root)).map((name) => diskAndPartitions(root, name)));
      return Promise.all(groups.flat().map((disk) => withSmart(disk, readSmartLog)));
    },
  };
}

function diskNames(root: string): string[] {
  try {
    return namesIn(`${root}/sys/block`);
  } catch (error) {
    throw failedBecause('Can\'t open directory "/sys/block"', error);
  }
}

/** Devices of which a guest has dozens that stand for nothing, until a file or a server is put behind them. */
const oftenUnused = /^(?:loop|ram|nbd|zram)\d+$/;

/** Leaves out those that /proc/partitions does not list, where every block device with a size is, but some drives. */
function withoutUnused(root: string, names: readonly string[]): readonly string[] {
  if (!names.some((name) => oftenUnused.test(name))) return names;
  let sized: ReadonlySet<string>;
  try {
    sized = new Set(readText(`${root}/proc/partitions`).split('\n').map((line) => line.slice(line.lastIndexOf(' ') + 1)));
  } catch {
    return names;
  }
  return names.filter((name) => !oftenUnused.test(name) || sized.has(name));
}

function diskAndPartitions(root: string, name: string): DiskInfo[] {
  const size = attribute(`${root}/sys/block/${name}/size`);
  if (size === undefined || size === '' || size === '0') return [];
  const path = deviceBehind(root, `/sys/block/${name}`);
  if (path === undefined) return [];
  const identity = identifyBlockDevice(root, path);
  const { node, mapperName } = identity;
  if (node === undefined) return [];
  const address = isVirtual(path) ? undefined : diskAddress(root, path, identity);
  const dependencies = dependenciesOf(root, path);
  const disk: DiskInfo = {
    name: node,
    partition: false,
    ...(dependencies !== undefined && { dependencies }),
    ...(address !== undefined && { address }),
    ...(mapperName !== undefined && { alias: mapperName }),
  };
  return [disk, ...partitionsOf(root, path, node)];
}

/** Nodes of the devices that it is made of; the list is there, and may be empty, wherever the kernel has `slaves`. */
function dependenciesOf(root: string, path: string): string[] | undefined {
  let names: string[];
  try {
    names = namesIn(`${root}${path}/slaves`);
  } catch {
    return undefined;
  }
  return names.flatMap((name) => identifyBlockDevice(root, `${path}/slaves/${name}`).node ?? []);
}

/**
 * A partition is named after its disk (`sda1`, `nvme0n1p1`), and the kernel marks it by an attribute, its number: names
 * alone can deceive.
 */
function partitionsOf(root: string, path: string, disk: string): DiskInfo[] {
  const prefix = path.slice(path.lastIndexOf('/') + 1);
  return namesInIfAny(`${root}${path}`)
    .filter((name) => name.startsWith(prefix))
    .map((name) => ({ name, number: attribute(`${root}${path}/${name}/partition`) }))
    .filter(({ number }) => number !== undefined)
    .sort((a, b) => Number(a.number) - Number(b.number))
    .flatMap(({ name }) => {
      const { node } = identifyBlockDevice(root, `${path}/${name}`);
      return node === undefined ? [] : [{ name: node, partition: true, dependencies: [disk] }];
    });
}

/** An NVMe disk with what it says of its health, where it does. */
async function withSmart(disk: DiskInfo, readSmartLog: ReadNvmeSmartLog): Promise<DiskInfo> {
  if (disk.partition || disk.address?.busType !== 'nvme') return disk;
  try {
    const smart = parseNvmeSmart(await readSmartLog(disk.name));
    return smart === undefined ? disk : { ...disk, smart };
  } catch {
    return disk;
  }
}
