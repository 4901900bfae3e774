// SPDX-License-Identifier: Apache-2.0
import { symlinkSync, writeFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { linuxDisks, type ReadNvmeSmartLog } from '../../../adapters/linux/block/disks.ts';
import type { DeviceNumbers } from '../../../adapters/linux/block/device-numbers.ts';
import { linuxUsage } from '../../../adapters/linux/block/usage.ts';
import type { DiskAddress, DiskInfo, FileSystemInfo, PciAddress } from '../../../core/ports/index.ts';
import { layOut, machine, type Machine } from '../../fixtures/machines/load.ts';

const noSmart: ReadNvmeSmartLog = async () => new Uint8Array(0);
const noSize = async (): Promise<never> => { throw new Error('size unknown'); };
const noDevice = (): DeviceNumbers | undefined => undefined;

const disksOf = (guest: Machine): Promise<readonly DiskInfo[]> => linuxDisks(guest.root, noSmart).list();
const usageOf = (guest: Machine): Promise<readonly FileSystemInfo[]> => linuxUsage(guest.root, noSize, noDevice).list();

const none: PciAddress = { domain: -1, bus: -1, slot: -1, function: -1 };
const pci = (bus: number, slot: number, fn = 0, domain = 0): PciAddress => ({ domain, bus, slot, function: fn });
const address = (busType: DiskAddress['busType'], dev: string, rest: Partial<DiskAddress> = {}): DiskAddress =>
  ({ pciController: none, busType, bus: 0, target: 0, unit: 0, dev, ...rest });

describe('a guest with virtio-blk behind a root port and udev', () => {
  const pciController = pci(4, 0);
  const serial = 'root-disk';

  it('has the controller, not the port, as address of its file systems, and each partition by its own name', async () => {
    using guest = machine('virtio-blk');

    expect(await usageOf(guest)).toEqual([
      { name: 'vda3', mountPoint: '/', type: 'ext4', disks: [address('virtio', '/dev/vda3', { pciController, serial })] },
      { name: 'vda1', mountPoint: '/boot/efi', type: 'vfat', disks: [address('virtio', '/dev/vda1', { pciController, serial })] },
    ]);
  });

  it('lists the disk, then its partitions by number, and nothing that has no size', async () => {
    using guest = machine('virtio-blk');

    expect(await disksOf(guest)).toEqual([
      { name: '/dev/vda', partition: false, dependencies: [], address: address('virtio', '/dev/vda', { pciController, serial }) },
      { name: '/dev/vda1', partition: true, dependencies: ['/dev/vda'] },
      { name: '/dev/vda3', partition: true, dependencies: ['/dev/vda'] },
      { name: '/dev/vda14', partition: true, dependencies: ['/dev/vda'] },
    ]);
  });
});

describe('a guest with many kinds of controllers', () => {
  it('has the numbers that each kind uses', async () => {
    using guest = machine('virtio-scsi');

    const addresses = (await disksOf(guest)).flatMap((disk) => disk.address ?? []);

    expect(addresses).toEqual([
      address('scsi', '/dev/sda', { pciController: pci(1, 1), target: 1, unit: 5 }),
      address('scsi', '/dev/sdb', { pciController: pci(1, 1) }),
      address('scsi', '/dev/sdc', { pciController: pci(0, 6), unit: 4 }),
      address('raid', '/dev/sdd', { pciController: pci(0, 7), bus: 2, target: 7 }),
      address('scsi', '/dev/sde', { pciController: pci(0, 8), target: 2, unit: 1 }),
      address('ide', '/dev/sdf', { pciController: pci(0, 1, 1), bus: 1, unit: 1 }),
      address('unknown', '/dev/sdg'),
    ]);
  });

  it('says on which LUN a file system lies', async () => {
    using guest = machine('virtio-scsi');

    expect(await usageOf(guest)).toEqual([
      { name: 'sda1', mountPoint: '/', type: 'xfs', disks: [address('scsi', '/dev/sda1', { pciController: pci(1, 1), target: 1, unit: 5 })] },
      { name: 'sde', mountPoint: '/pvscsi', type: 'ext4', disks: [address('scsi', '/dev/sde', { pciController: pci(0, 8), target: 2, unit: 1 })] },
    ]);
  });
});

describe('a guest with LVM on software RAID on SATA', () => {
  const pciController = pci(0, 0x1f, 2);
  const serial = 'QEMU_HARDDISK_QM00001';
  const sda1 = address('sata', '/dev/sda1', { pciController, unit: 2, serial });
  const sda2 = address('sata', '/dev/sda2', { pciController, unit: 2, serial });
  const sdb = address('sata', '/dev/sdb', { pciController, unit: 11 });

  it('shows every disk under a logical volume, each once, and none under a loop device', async () => {
    using guest = machine('lvm-on-md');

    expect(await usageOf(guest)).toEqual([
      { name: 'dm-0', mountPoint: '/', type: 'ext4', disks: [sda1, sdb, sda2] },
      { name: 'dm-1', mountPoint: '/data', type: 'ext4', disks: [sda1, sdb] },
      { name: 'loop0', mountPoint: '/data/image', type: 'iso9660', disks: [] },
    ]);
  });

  it('lists volumes with their names and what they are made of, without addresses', async () => {
    using guest = machine('lvm-on-md');

    expect(await disksOf(guest)).toEqual([
      { name: '/dev/dm-0', partition: false, dependencies: ['/dev/md0', '/dev/sda2'], alias: 'vg-root' },
      { name: '/dev/dm-1', partition: false, dependencies: ['/dev/md0'], alias: 'vg-data' },
      { name: '/dev/loop0', partition: false, dependencies: [] },
      { name: '/dev/md0', partition: false, dependencies: ['/dev/sda1', '/dev/sdb'] },
      { name: '/dev/sda', partition: false, dependencies: [], address: { ...sda1, dev: '/dev/sda' } },
      { name: '/dev/sda1', partition: true, dependencies: ['/dev/sda'] },
      { name: '/dev/sda2', partition: true, dependencies: ['/dev/sda'] },
      { name: '/dev/sdb', partition: false, dependencies: [], address: sdb },
    ]);
  });
});

describe('a guest with NVMe, USB, SD and Xen disks', () => {
  it('has an address for each', async () => {
    using guest = machine('nvme');

    const disks = (await disksOf(guest)).filter((disk) => !disk.partition);

    expect(disks.map((disk) => disk.address)).toEqual([
      address('sd', '/dev/mmcblk0', { pciController: pci(0, 0x0b) }),
      address('nvme', '/dev/nvme0n1', { pciController: pci(0, 4) }),
      address('nvme', '/dev/nvme1n1', { pciController: pci(0xe1, 0, 0, 0x10000) }),
      address('nvme', '/dev/nvme2n1', { pciController: pci(0, 0x0a) }),
      address('usb', '/dev/sda', { pciController: pci(2, 0) }),
      address('xen', '/dev/xvda'),
    ]);
  });

  it('finds partitions by their attribute although names of disks end in digits', async () => {
    using guest = machine('nvme');

    const partitions = (await disksOf(guest)).filter((disk) => disk.partition);

    expect(partitions.map(({ name, dependencies }) => [name, dependencies])).toEqual([
      ['/dev/nvme0n1p1', ['/dev/nvme0n1']], ['/dev/nvme0n1p2', ['/dev/nvme0n1']],
      ['/dev/sda1', ['/dev/sda']], ['/dev/xvda1', ['/dev/xvda']],
    ]);
  });

  it('shows where its file systems lie', async () => {
    using guest = machine('nvme');

    expect(await usageOf(guest)).toEqual([
      { name: 'nvme0n1p2', mountPoint: '/', type: 'ext4', disks: [address('nvme', '/dev/nvme0n1p2', { pciController: pci(0, 4) })] },
      { name: 'sda1', mountPoint: '/usb', type: 'vfat', disks: [address('usb', '/dev/sda1', { pciController: pci(2, 0) })] },
      { name: 'nvme2n1', mountPoint: '/shared', type: 'xfs', disks: [address('nvme', '/dev/nvme2n1', { pciController: pci(0, 0x0a) })] },
      { name: 'xvda1', mountPoint: '/xen', type: 'ext4', disks: [address('xen', '/dev/xvda1')] },
    ]);
  });

  it('reports SMART of NVMe only, and leaves out a log that cannot be read', async () => {
    using guest = machine('nvme');
    const asked: string[] = [];
    const page = new Uint8Array(512);
    page.set([4, 0x2c, 0x01, 98, 10, 3]);
    const readSmart: ReadNvmeSmartLog = async (node) => {
      asked.push(node);
      if (node === '/dev/nvme1n1') throw new Error('no SMART here');
      return page;
    };

    const disks = await linuxDisks(guest.root, readSmart).list();

    expect(asked).toEqual(['/dev/nvme0n1', '/dev/nvme1n1', '/dev/nvme2n1']);
    expect(disks.filter((disk) => disk.smart !== undefined).map((disk) => disk.name)).toEqual(['/dev/nvme0n1', '/dev/nvme2n1']);
    expect(disks.find((disk) => disk.name === '/dev/nvme0n1')?.smart).toMatchObject({ criticalWarning: 4, temperature: 300, percentageUsed: 3 });
  });
});

describe('a guest on s390', () => {
  it('has channel addresses, read as hexadecimal', async () => {
    using guest = machine('s390-ccw');
    const ccwAddress = { cssid: 0, ssid: 0, subchno: 10, devno: 0x12 };

    expect((await disksOf(guest)).flatMap((disk) => disk.address ?? [])).toEqual([
      address('unknown', '/dev/dasda', { ccwAddress: { cssid: 0, ssid: 0, subchno: 5, devno: 0x200 } }),
      address('scsi', '/dev/sda', { bus: 1, target: 2, unit: 3, ccwAddress: { cssid: 0xfe, ssid: 1, subchno: 3, devno: 0xbeef } }),
      address('virtio', '/dev/vda', { ccwAddress }),
    ]);
    expect((await usageOf(guest))[0]?.disks).toEqual([address('virtio', '/dev/vda1', { ccwAddress })]);
  });
});

describe('a guest on ARM with virtio-mmio', () => {
  it('has no PCI address, and takes the serial from the kernel where no udev runs', async () => {
    using guest = machine('arm64-mmio');

    expect((await disksOf(guest)).flatMap((disk) => disk.address ?? [])).toEqual([
      address('mmc', '/dev/mmcblk0'),
      address('scsi', '/dev/sda', { target: 3, unit: 1 }),
      address('virtio', '/dev/vda', { serial: 'disk-7' }),
    ]);
    expect((await usageOf(guest))[0]?.disks).toEqual([address('virtio', '/dev/vda1', { serial: 'disk-7' })]);
  });
});

describe('a small virtual machine without udev', () => {
  it('has one file system on one whole disk', async () => {
    using guest = machine('this-kind');
    const vda = address('virtio', '/dev/vda', { pciController: pci(0, 2) });

    expect(await usageOf(guest)).toEqual([{ name: 'vda', mountPoint: '/', type: 'ext4', disks: [vda] }]);
    expect(await disksOf(guest)).toEqual([{ name: '/dev/vda', partition: false, dependencies: [], address: vda }]);
  });
});

describe('a guest whose devices come and go', () => {
  it('keeps every file system, with what is known of it', async () => {
    using guest = machine('broken');

    expect(await usageOf(guest)).toEqual([
      { name: 'sda1', mountPoint: '/', type: 'ext4', disks: [address('unknown', '/dev/sda1')] },
      { name: '99:9', mountPoint: '/gone', type: 'ext4', disks: [] },
      { name: 'dm-0', mountPoint: '/circle', type: 'ext4', disks: [] },
      { name: '8:99', mountPoint: '/dangling', type: 'ext4', disks: [] },
    ]);
  });

  it('lists the disks that are there', async () => {
    using guest = machine('broken');

    expect((await disksOf(guest)).map((disk) => disk.name)).toEqual(['/dev/dm-0', '/dev/sda', '/dev/sda1']);
  });

  it('without /sys/block says what is missing', async () => {
    using guest = layOut('/proc/');

    await expect(disksOf(guest)).rejects.toThrow('Can\'t open directory "/sys/block": No such file or directory');
  });

  it('has valid text for names that are no UTF-8', async () => {
    using guest = layOut('/sys/devices/virtual/block/dm-3/size = 8');
    const directory = `${guest.root}/sys/devices/virtual/block/dm-3`;
    writeFileSync(`${directory}/uevent`, Buffer.concat([Buffer.from('MAJOR=253\nMINOR=3\nDEVNAME=dm-3'), Buffer.from([0xff, 0x0a])]));
    symlinkSync('devices/virtual/block', `${guest.root}/sys/block`);

    expect((await disksOf(guest)).map((disk) => disk.name)).toEqual(['/dev/dm-3\uFFFD']);
  });
});
