// SPDX-License-Identifier: Apache-2.0
import type {
  DiskAddress, DiskCounters, DiskInfo, Disks, DiskStatistics, FileSystemInfo, FileSystemUsage, NvmeSmart,
} from '../../core/ports/index.ts';
import type { Faults } from './faults.ts';
import type { FakeFileSystems } from './file-systems.ts';
import type { Superblock } from './superblock.ts';

export interface DiskDescription {
  /** `/dev/vda`. */
  readonly name: string;
  /** `MAJOR:MINOR`. */
  readonly device: string;
  readonly partitions?: readonly { readonly name: string; readonly device: string }[];
  /** For dm, md and LVM: the devices on which it lies. */
  readonly dependencies?: readonly string[];
  /** Device-mapper name. */
  readonly alias?: string;
  /** Where the hardware is; absent for loop devices and whatever else is virtual. `dev` is filled in. */
  readonly address?: Omit<DiskAddress, 'dev'>;
  readonly smart?: NvmeSmart;
  readonly counters?: DiskCounters;
}

const noPci = { domain: -1, bus: -1, slot: -1, function: -1 };

/** An address on the PCI bus with the rest as most machines have it. */
export const pciAddress = (busType: DiskAddress['busType'], slot: number, rest: Partial<DiskAddress> = {}): Omit<DiskAddress, 'dev'> => ({
  pciController: slot < 0 ? noPci : { domain: 0, bus: 0, slot, function: 0 },
  busType, bus: 0, target: 0, unit: 0, ...rest,
});

/** The block devices of the fake; a test may push to and splice the list. */
export class FakeDisks {
  readonly list: DiskDescription[];

  constructor(disks: readonly DiskDescription[]) {
    this.list = [...disks];
  }

  disks(): Disks {
    return { list: async () => this.list.flatMap((disk) => describe(disk)) };
  }

  statistics(): DiskStatistics {
    const entry = (name: string, device: string, counters: DiskCounters = {}) => {
      const [major = 0, minor = 0] = device.split(':').map(Number);
      return { name: baseName(name), major, minor, counters };
    };
    return {
      list: async () =>
        this.list.flatMap((disk) => [
          entry(disk.name, disk.device, disk.counters),
          ...(disk.partitions ?? []).map(({ name, device }) => entry(name, device, disk.counters)),
        ]),
    };
  }

  usage(fileSystems: FakeFileSystems, faults: Faults): FileSystemUsage {
    return { list: () => Promise.all(fileSystems.listed().map((superblock) => this.#info(superblock, fileSystems, faults))) };
  }

  async #info(superblock: Superblock, fileSystems: FakeFileSystems, faults: Faults): Promise<FileSystemInfo> {
    const mountPoint = fileSystems.nameOf(superblock);
    return {
      name: this.#nameOf(superblock.id) ?? superblock.id,
      mountPoint,
      type: superblock.type,
      ...(fileSystems.reachedAt(superblock) === undefined ? {} : await sizes(superblock, mountPoint, faults)),
      disks: this.#addresses(superblock.id),
    };
  }

  #nameOf(device: string): string | undefined {
    for (const disk of this.list) {
      if (disk.device === device) return baseName(disk.name);
      const partition = disk.partitions?.find((one) => one.device === device);
      if (partition !== undefined) return baseName(partition.name);
    }
    return undefined;
  }

  /** Every disk below a device, each with the node of the part that is used. */
  #addresses(device: string): readonly DiskAddress[] {
    return this.list.flatMap((disk) => {
      const used = disk.device === device ? disk.name : disk.partitions?.find((one) => one.device === device)?.name;
      if (used === undefined) return [];
      if (disk.address !== undefined) return [{ ...disk.address, dev: used }];
      return (disk.dependencies ?? []).flatMap((name) => this.#addresses(this.#deviceOf(name) ?? ''));
    });
  }

  #deviceOf(name: string): string | undefined {
    return this.list.flatMap((disk) => [disk, ...(disk.partitions ?? [])]).find((one) => one.name === name)?.device;
  }
}

const baseName = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

function describe(disk: DiskDescription): readonly DiskInfo[] {
  const address = (dev: string) => (disk.address === undefined ? {} : { address: { ...disk.address, dev } });
  return [
    {
      name: disk.name,
      partition: false,
      dependencies: disk.dependencies ?? [],
      ...address(disk.name),
      ...(disk.alias === undefined ? {} : { alias: disk.alias }),
      ...(disk.smart === undefined ? {} : { smart: disk.smart }),
    },
    ...(disk.partitions ?? []).map(({ name }) => ({ name, partition: true, dependencies: [disk.name], ...address(name) })),
  ];
}

/** ext4 keeps 5 % of its blocks for root. */
const reservedShare = 20;

/** statvfs(3), or nothing where the device does not answer. */
async function sizes(superblock: Superblock, mountPoint: string, faults: Faults) {
  try {
    const passed = faults.pass('kernel', 'statfs', mountPoint);
    if (passed !== undefined) {
      // A real backend waits for a while and then leaves the sizes out; by hand nobody moves the clock.
      void passed.catch(() => {});
      return {};
    }
  } catch {
    return {};
  }
  const used = superblock.full ? superblock.capacityBytes : Math.min(superblock.occupiedBytes, superblock.capacityBytes);
  const reserved = Math.min(Math.floor(superblock.capacityBytes / reservedShare), superblock.capacityBytes - used);
  return {
    usedBytes: BigInt(used),
    totalBytes: BigInt(superblock.capacityBytes - reserved),
    totalBytesPrivileged: BigInt(superblock.capacityBytes),
  };
}
