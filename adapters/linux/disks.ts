import type { DiskInfo, Disks } from '../../core/ports/index.ts';
import { identifyBlockDevice } from './block-device.ts';
import { diskAddress, isVirtual } from './disk-address.ts';
import { attribute, failedBecause, namesIn, namesInIfAny, resolvedBelow } from './kernel-files.ts';
import { parseNvmeSmart } from './nvme-smart.ts';

/** Reads the 512 bytes of NVMe log page 0x02 from a device node, in bounded time. @throws os error */
export type ReadNvmeSmartLog = (node: string) => Promise<Uint8Array>;

/**
 * guest-get-disks from `/sys/block`. `root` is put before every path: '' for the running system.
 * A disk that vanishes meanwhile, that has no size (an empty drive, an unused loop device) or no node is left out.
 */
export function linuxDisks(root: string, readSmartLog: ReadNvmeSmartLog): Disks {
  return {
    list: async () => {
      const groups = await Promise.all(diskNames(root).map((name) => diskAndPartitions(root, name, readSmartLog)));
      return groups.flat();
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

async function diskAndPartitions(root: string, name: string, readSmartLog: ReadNvmeSmartLog): Promise<DiskInfo[]> {
  const path = resolvedBelow(root, `/sys/block/${name}`);
  const size = path === undefined ? undefined : attribute(`${root}${path}/size`);
  if (path === undefined || size === undefined || size === '' || size === '0') return [];
  const { node, mapperName } = identifyBlockDevice(root, path);
  if (node === undefined) return [];
  const address = isVirtual(path) ? undefined : diskAddress(root, path);
  const dependencies = dependenciesOf(root, path);
  const smart = address?.busType === 'nvme' ? await smartOf(node, readSmartLog) : undefined;
  const disk: DiskInfo = {
    name: node,
    partition: false,
    ...(dependencies !== undefined && { dependencies }),
    ...(address !== undefined && { address }),
    ...(mapperName !== undefined && { alias: mapperName }),
    ...(smart !== undefined && { smart }),
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

/** The kernel marks a partition by an attribute of that name, its number; names alone can deceive (`nvme0n1p1`). */
function partitionsOf(root: string, path: string, disk: string): DiskInfo[] {
  return namesInIfAny(`${root}${path}`)
    .map((name) => ({ name, number: attribute(`${root}${path}/${name}/partition`) }))
    .filter(({ number }) => number !== undefined)
    .sort((a, b) => Number(a.number) - Number(b.number))
    .flatMap(({ name }) => {
      const { node } = identifyBlockDevice(root, `${path}/${name}`);
      return node === undefined ? [] : [{ name: node, partition: true, dependencies: [disk] }];
    });
}

async function smartOf(node: string, readSmartLog: ReadNvmeSmartLog): Promise<DiskInfo['smart']> {
  try {
    return parseNvmeSmart(await readSmartLog(node));
  } catch {
    return undefined;
  }
}

