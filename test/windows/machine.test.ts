// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import { messageOf } from '../../core/errors/agent-error.ts';
import { windowsBackend } from '../../adapters/windows/module.ts';
import { after, afterEach, describe, it } from './runner.ts';
import { machineDlls, machineScene } from './machine.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

const { network, fileSystem, host, processors } = windowsBackend({ routes: true, dlls: machineDlls });

describe('the network of a machine that is made up', () => {
  afterEach(() => machineScene());

  it('every adapter is an interface, by the name that people gave it, and a name that comes twice gets a number', async () => {
    const interfaces = await network?.interfaces?.list();

    assert.deepEqual(interfaces?.map(({ name }) => name), ['Ethernet', 'Ethernet #2', 'Infiniband 😀', 'Loopback Pseudo-Interface 1']);
  });

  it('addresses have the length of the prefix on the link, and a link-local one its interface', async () => {
    const [first, second] = (await network?.interfaces?.list()) ?? [];

    assert.deepEqual(first?.addresses, [
      { family: 'ipv4', address: '192.0.2.10', prefix: 20 },
      { family: 'ipv6', address: 'fe80::5054:ff:feab:cdef%7', prefix: 64 },
      { family: 'ipv6', address: '2001:db8::1:0:0:1', prefix: 64 },
    ]);
    assert.deepEqual(second?.addresses, []);
  });

  it('six bytes of a longer link address are told, and none where there is none', async () => {
    const interfaces = await network?.interfaces?.list();

    assert.deepEqual(interfaces?.map(({ hardwareAddress }) => hardwareAddress),
      ['52:54:00:ab:cd:ef', '52:54:00:00:00:02', '01:02:03:04:05:06', undefined]);
  });

  it('counters are of 64 bits, of unicast packets, and left out where the system has none', async () => {
    const [first, second, third] = (await network?.interfaces?.list()) ?? [];

    assert.deepEqual(first?.statistics, {
      rxBytes: 0x12_3456_7897n, rxPackets: 2n, rxErrors: 3n, rxDropped: 4n, txBytes: 2n ** 64n - 1n, txPackets: 6n, txErrors: 7n, txDropped: 8n,
    });
    assert.equal(second?.statistics?.rxBytes, 0x12_3456_7898n);
    assert.equal(third !== undefined && 'statistics' in third, false);
  });

  it('a machine without adapters has no interfaces', async () => {
    machineScene({ adapters: 'none' });

    assert.deepEqual(await network?.interfaces?.list(), []);
  });

  it('routes of both families have interface, next hop and prefix', async () => {
    const routes = await network?.routes?.list();

    const v4 = { version: 4 };
    const v6 = { version: 6, source: '::', sourcePrefix: 0 };
    assert.deepEqual(routes, [
      { ...v4, interface: 'Ethernet', destination: '0.0.0.0', gateway: '192.0.2.1', mask: '0.0.0.0', metric: 25 },
      { ...v4, interface: 'Ethernet', destination: '192.0.0.0', gateway: '0.0.0.0', mask: '255.255.240.0', metric: 281 },
      { ...v4, interface: '77', destination: '127.0.0.1', gateway: '0.0.0.0', mask: '255.255.255.255', metric: 331 },
      { ...v6, interface: 'Ethernet', destination: '::', destinationPrefix: 0, nextHop: 'fe80::1', metric: 25 },
      { ...v6, interface: 'Ethernet', destination: '2001:db8::', destinationPrefix: 64, nextHop: '::', metric: 281 },
    ]);
  });

  it('a system without IPv6 has the routes of IPv4', async () => {
    machineScene({ ipv6: 'off' });

    assert.deepEqual((await network?.routes?.list())?.map(({ version }) => version), [4, 4, 4]);
  });
});

const nowhere = { domain: -1, bus: -1, slot: -1, function: -1 };
const pci = (bus: number, slot: number, what: number, domain = 0) => ({ domain, bus, slot, function: what });
const virtio = { pciController: pci(0, 4, 0), busType: 'scsi', bus: 0, target: 2, unit: 5, serial: 'gast-0001', dev: String.raw`\\.\PhysicalDrive0` };
const sata = { pciController: pci(0, 31, 2), busType: 'sata', bus: 0, target: 0, unit: 0, serial: 'QM00003', dev: String.raw`\\.\PhysicalDrive1` };
const nvme = { pciController: pci(3, 0, 0), busType: 'nvme', bus: 0, target: 0, unit: 0, serial: 'nvme-1', dev: String.raw`\\.\PhysicalDrive2` };
const usb = { pciController: nowhere, busType: 'usb', bus: 0, target: 0, unit: 0, serial: 'usb-1', dev: String.raw`\\.\PhysicalDrive3` };

describe('the disks of a machine that is made up', () => {
  it('disks have bus type, serial without padding, address on their bus, and their controller on PCI', async () => {
    const disks = await fileSystem?.disks?.list();

    const disk = (number: number, address: object) => ({ name: `\\\\.\\PhysicalDrive${number}`, partition: false, address });
    assert.deepEqual(disks, [
      disk(0, virtio), disk(1, sata), disk(2, nvme), disk(3, usb),
      // A storage space lies on no controller; Fibre Channel is what it is.
      disk(4, { pciController: nowhere, busType: 'unknown', bus: 0, target: 0, unit: 0, dev: String.raw`\\.\PhysicalDrive4` }),
      disk(5, { pciController: pci(2, 7, 3, 1), busType: 'fibre', bus: 0, target: 0, unit: 0, dev: String.raw`\\.\PhysicalDrive5` }),
    ]);
  });

  it('volumes have their first path, sizes of the whole disk whatever the quota, and a disk for every extent', async () => {
    const found = await fileSystem?.usage?.list();

    const name = (number: number): string => `\\\\?\\Volume{0000000${number}-0000-0000-0000-000000000000}\\`;
    assert.deepEqual(found, [
      { name: name(1), mountPoint: 'System Reserved', type: 'NTFS', usedBytes: 400n, totalBytes: 500n, disks: [virtio] },
      { name: name(2), mountPoint: 'C:\\', type: 'NTFS', usedBytes: 0xC0_0000_0000n, totalBytes: 0x100_0000_0000n, disks: [virtio] },
      { name: name(3), mountPoint: 'D:\\', type: 'ReFS', usedBytes: 8000n, totalBytes: 9000n, disks: [sata, nvme, sata] },
      // The empty drive is left out; a disc is its own disk.
      { name: name(5), mountPoint: 'F:\\', type: 'CDFS', usedBytes: 700n, totalBytes: 700n, disks: [{ pciController: nowhere, busType: 'ide', bus: 0, target: 0, unit: 0, dev: name(5) }] },
      { name: name(6), mountPoint: 'G:\\', type: 'FAT32', usedBytes: 32n, totalBytes: 64n, disks: [usb] },
    ]);
  });

  it('fixed volumes can be frozen, by drive, folder or name; a disc and a stick cannot', async () => {
    const survey = await fileSystem?.freezing?.survey();

    assert.deepEqual(survey?.map(({ mountPoints, leftOut }) => [mountPoints.slice(0, -1), leftOut?.reason]), [
      [[], undefined], [['C:\\'], undefined], [['D:\\', 'C:\\mnt\\data 1\\'], undefined],
      [['E:\\'], 'not-freezable'], [['F:\\'], 'not-freezable'], [['G:\\'], 'not-freezable'],
    ]);
    assert.ok(survey?.every(({ id, mountPoints }) => mountPoints.at(-1) === id));
  });
});

describe('the devices of a machine that is made up', () => {
  afterEach(() => machineScene());

  it("drivers of Red Hat's PCI devices are told, with all digits of their numbers; one without version or date is none", async () => {
    const devices = await host?.devices?.list();

    const driverDate = BigInt(Date.UTC(2024, 0, 1)) * 1_000_000n;
    assert.deepEqual(devices, [
      { driverName: 'Red Hat VirtIO Ethernet Adapter', driverDate, driverVersion: '100.93.104.26600', pciId: { vendorId: 0x1af4, deviceId: 0x1041 } },
      { driverName: 'VirtIO-FS-Gerät', driverDate, driverVersion: '100.0', pciId: { vendorId: 0x1af4, deviceId: 0x105a } },
      { driverName: 'QEMU', driverDate, driverVersion: '1.2', pciId: { vendorId: 0x1b36, deviceId: 0x000f } },
    ]);
  });

  it('a device tree that cannot be had is an error with the reason of the system', async () => {
    machineScene({ setup: 'fails' });

    await assert.rejects(async () => host?.devices?.list(), (error) => messageOf(error).startsWith('failed to get device tree: '));
  });
});

describe('what a machine that is made up says of itself', () => {
  afterEach(() => machineScene());

  for (const [version, kernelVersion, kernelRelease, name, id, variant] of [
    ['10.0.26100.1', '10.0', '26100', '11', '11', 'client'],
    ['10.0.26200.1', '10.0', '26200', '11', '11', 'client'],
    ['10.0.19045.1', '10.0', '19045', '10', '10', 'client'],
    ['10.0.26100.3', '10.0', '26100', 'Server 2025', '2025', 'server'],
    ['10.0.20348.2', '10.0', '20348', 'Server 2022', '2022', 'server'],
    ['10.0.14393.3', '10.0', '14393', 'Server 2016', '2016', 'server'],
  ] as const) {
    it(`${version} is Windows ${name}`, async () => {
      machineScene({ version });

      const { prettyName, ...information } = (await host?.osInformation?.get()) ?? {};

      assert.deepEqual(information, {
        kernelRelease, kernelVersion, machine: 'x86_64', id: 'mswindows', name: 'Microsoft Windows', version: `Microsoft Windows ${name}`, versionId: id,
        variant, variantId: variant,
      });
      assert.match(prettyName ?? '', /Windows/);
    });
  }

  for (const [arch, machine] of [['0', 'x86'], ['9', 'x86_64'], ['12', 'aarch64'], ['5', 'arm'], ['6', 'ia64'], ['99', 'unknown']] as const) {
    it(`architecture ${arch} is ${machine}`, async () => {
      machineScene({ arch });

      assert.equal((await host?.osInformation?.get())?.machine, machine);
    });
  }

  it('the name is the one of NetBIOS, in any alphabet', async () => {
    assert.equal(await host?.hostName?.get(), 'MÜNCHEN-PC');
  });

  // Which, Bias, StandardBias, DaylightBias: as GetDynamicTimeZoneInformation answers them.
  for (const [what, zone, offset, name] of [
    ['Berlin in winter', '1.-60.0.-60', 3600, 'Mitteleuropäische Zeit'],
    ['Berlin in summer', '2.-60.0.-60', 7200, 'Mitteleuropäische Sommerzeit'],
    ['Newfoundland in summer', '2.210.0.-60', -9000, 'Mitteleuropäische Sommerzeit'],
    ['India, which has no summer time', '0.-330.0.0', 19_800, 'Mitteleuropäische Zeit'],
    ['a zone whose biases count only where there are dates to change', '0.-60.-15.-60', 3600, 'Mitteleuropäische Zeit'],
    ['UTC', '0.0.0.0', 0, 'Mitteleuropäische Zeit'],
  ] as const) {
    it(`the offset of ${what} is ${offset} seconds`, async () => {
      machineScene({ zone });

      assert.deepEqual(await host?.timeZone?.get(), { offset, zone: name });
    });
  }

  it('a zone that cannot be had is an error', async () => {
    machineScene({ zone: '-1.0.0.0' });

    await assert.rejects(async () => host?.timeZone?.get());
  });

  it('processors of all groups are there, and none can be switched off', async () => {
    const list = await processors?.online?.list();

    assert.equal(list?.length, 80);
    assert.deepEqual(list?.at(-1), { logicalId: 79, online: true, canOffline: false });
    assert.equal(processors?.online !== undefined && 'switching' in processors.online, false);
  });
});
