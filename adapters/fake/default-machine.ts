// SPDX-License-Identifier: Apache-2.0
import type { MachineDescription } from './description.ts';
import { pciAddress } from './disks.ts';

const gib = 2 ** 30;
const passwd = [
  'root:x:0:0:root:/root:/bin/bash',
  'alice:x:1000:1000:Alice:/home/alice:/bin/bash',
  'bob:x:1001:1001:Bob:/home/bob:/bin/bash',
  '',
].join('\n');
const osRelease = 'ID=debian\nNAME="Debian GNU/Linux"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION="13 (trixie)"\nVERSION_ID="13"\n';

/**
 * A small virtual machine: the system on one virtio disk, data on another (a volume group), and a backup image on
 * the data that is mounted itself, so that the order of freezing matters.
 */
export const defaultDescription: Omit<MachineDescription, 'agent' | 'host'> & {
  readonly agent: Required<MachineDescription['agent']>;
  readonly host: Required<Omit<MachineDescription['host'], 'devices' | 'driverPackages' | 'driverServices'>>;
} = {
  realTime: false,
  // 2026-01-01T00:00:00Z
  startTime: 1_767_225_600_000_000_000n,
  hardwareClock: 'present',
  hypervisorClock: 'absent',
  bootId: '11111111-2222-4333-8444-555555555555',
  agent: { uid: 0, gid: 0, groups: [], workingDirectory: '/', environment: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LANG=C.UTF-8'] },
  without: [],
  mounts: [
    { mountPoint: '/', id: '252:2', type: 'ext4', source: '/dev/vda2', capacityBytes: 16 * gib, occupiedBytes: 3 * gib },
    { mountPoint: '/proc', id: '0:21', type: 'proc', source: 'proc' },
    { mountPoint: '/dev', id: '0:5', type: 'devtmpfs', source: 'udev' },
    { mountPoint: '/run', id: '0:24', type: 'tmpfs', source: 'tmpfs', capacityBytes: gib / 8 },
    { mountPoint: '/boot', id: '252:1', type: 'ext4', source: '/dev/vda1', capacityBytes: gib / 2, occupiedBytes: gib / 8 },
    { mountPoint: '/data', id: '254:0', type: 'xfs', source: '/dev/mapper/vg0-data', capacityBytes: 64 * gib, occupiedBytes: 5 * gib },
    {
      mountPoint: '/mnt/backup', id: '7:0', type: 'ext4', source: '/dev/loop0', image: '/data/images/backup.img',
      capacityBytes: 4 * gib, occupiedBytes: gib,
    },
  ],
  disks: [
    {
      name: '/dev/vda', device: '252:0', address: pciAddress('virtio', 4, { serial: 'system' }),
      partitions: [{ name: '/dev/vda1', device: '252:1' }, { name: '/dev/vda2', device: '252:2' }],
      counters: {
        readIos: 9200n, readMerges: 1700n, readSectors: 612_344n, readTicks: 4100n,
        writeIos: 5300n, writeMerges: 4400n, writeSectors: 401_920n, writeTicks: 6200n,
        iosInProgress: 0n, totalTicks: 7300n, weightTicks: 10_400n,
        discardIos: 0n, discardMerges: 0n, discardSectors: 0n, discardTicks: 0n, flushIos: 610n, flushTicks: 240n,
      },
    },
    { name: '/dev/vdb', device: '252:16', address: pciAddress('virtio', 5, { serial: 'data' }) },
    {
      name: '/dev/nvme0n1', device: '259:0', address: pciAddress('nvme', 6, { serial: 'QEMU NVMe Ctrl_1' }),
      smart: {
        criticalWarning: 0, temperature: 323, availableSpare: 100, availableSpareThreshold: 10, percentageUsed: 1,
        dataUnitsRead: 1234n, dataUnitsWritten: 567n, hostReadCommands: 89_012n, hostWriteCommands: 34_567n, controllerBusyTime: 2n,
        powerCycles: 12n, powerOnHours: 2n ** 64n + 5n, unsafeShutdowns: 3n, mediaErrors: 0n, numberOfErrorLogEntries: 1n,
      },
    },
    { name: '/dev/dm-0', device: '254:0', dependencies: ['/dev/vdb'], alias: 'vg0-data' },
    { name: '/dev/loop0', device: '7:0' },
  ],
  files: {
    '/etc/hostname': 'fake\n',
    '/etc/passwd': passwd,
    '/etc/shadow': { text: 'root:*:20000:0:99999:7:::\n', mode: 0o640 },
    '/etc/os-release': osRelease,
    '/etc/motd': 'Welcome.\n',
    '/root': { directory: true, mode: 0o700 },
    '/tmp': { directory: true, mode: 0o1777 },
    '/bin': { symlink: 'usr/bin' },
    '/home/alice': { directory: true, mode: 0o700, uid: 1000, gid: 1000 },
    '/home/alice/.ssh': { directory: true, mode: 0o700, uid: 1000, gid: 1000 },
    '/home/alice/.ssh/authorized_keys': { text: 'ssh-ed25519 AAAAC3Nza-alice alice@laptop\n', mode: 0o600, uid: 1000, gid: 1000 },
    '/home/bob': { directory: true, mode: 0o700, uid: 1001, gid: 1001 },
    '/dev/null': { device: 'null' },
    '/dev/zero': { device: 'zero' },
    '/dev/full': { device: 'full' },
    '/dev/tty': { device: 'tty' },
    '/var/log': { directory: true },
  },
  users: [
    { name: 'root', uid: 0, gid: 0, home: '/root' },
    { name: 'alice', uid: 1000, gid: 1000, home: '/home/alice' },
    { name: 'bob', uid: 1001, gid: 1001, home: '/home/bob' },
  ],
  sessions: [
    { user: 'alice', loginTime: 1_767_222_000.25 },
    { user: 'alice', loginTime: 1_767_224_000.5 },
  ],
  interfaces: [
    {
      name: 'lo',
      hardwareAddress: '00:00:00:00:00:00',
      addresses: [{ family: 'ipv4', address: '127.0.0.1', prefix: 8 }, { family: 'ipv6', address: '::1', prefix: 128 }],
      statistics: { rxBytes: 8400n, rxPackets: 100n, rxErrors: 0n, rxDropped: 0n, txBytes: 8400n, txPackets: 100n, txErrors: 0n, txDropped: 0n },
    },
    {
      name: 'eth0',
      hardwareAddress: '52:54:00:12:34:56',
      addresses: [{ family: 'ipv4', address: '192.0.2.10', prefix: 24 }, { family: 'ipv6', address: 'fe80::5054:ff:fe12:3456', prefix: 64 }],
      statistics: {
        rxBytes: 2n ** 40n, rxPackets: 812_000n, rxErrors: 0n, rxDropped: 2n, txBytes: 734_003_200n, txPackets: 540_000n, txErrors: 0n, txDropped: 0n,
      },
    },
  ],
  routes: [
    {
      version: 4, interface: 'eth0', destination: '0.0.0.0', gateway: '192.0.2.1', mask: '0.0.0.0',
      metric: 100, flags: 3, references: 0, use: 0, mtu: 0, window: 0, irtt: 0,
    },
    {
      version: 4, interface: 'eth0', destination: '192.0.2.0', gateway: '0.0.0.0', mask: '255.255.255.0',
      metric: 100, flags: 1, references: 0, use: 0, mtu: 0, window: 0, irtt: 0,
    },
    {
      version: 6, interface: 'eth0', destination: 'fe80::', destinationPrefix: 64, source: '::', sourcePrefix: 0, nextHop: '::',
      metric: 256, flags: 1, references: 1, use: 0,
    },
  ],
  processors: [0, 1, 2, 3].map((logicalId) => ({ logicalId, online: true, canOffline: logicalId !== 0 })),
  load: [0.5, 0.25, 0.125],
  memory: {
    blockSize: 134_217_728n,
    blocks: Array.from({ length: 16 }, (_, index) => ({ physIndex: BigInt(index), online: true, canOffline: index !== 0, pinned: index === 1 })),
  },
  host: {
    name: 'fake',
    timeZone: { offset: 3600, zone: 'CET' },
    osInformation: {
      kernelRelease: '6.12.41+deb13-amd64', kernelVersion: '#1 SMP PREEMPT_DYNAMIC Debian 6.12.41-1', machine: 'x86_64',
      id: 'debian', name: 'Debian GNU/Linux', prettyName: 'Debian GNU/Linux 13 (trixie)', version: '13 (trixie)', versionId: '13',
    },
  },
  suspend: { modes: ['disk', 'ram', 'hybrid'], able: ['disk', 'ram'] },
  hooks: [],
  generationHooks: [],
  firstPid: 1200,
};
