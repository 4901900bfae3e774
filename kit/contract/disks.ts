// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import type { DiskAddress, Disks, DiskStatistics, FileSystemUsage, Trimming } from '../../core/ports/index.ts';
import { areDifferent, hasNoUndefined, isCount, isCounter, isText } from './expect.ts';
import { contractGroup, type ContractCase } from './group.ts';

const busTypes = new Set([
  'ide', 'fdc', 'scsi', 'virtio', 'xen', 'usb', 'uml', 'sata', 'sd', 'unknown', 'ieee1394', 'ssa', 'fibre', 'raid', 'iscsi', 'sas', 'mmc',
  'virtual', 'file-backed-virtual', 'nvme',
]);

function isAddress(address: DiskAddress): void {
  const { domain, bus, slot, function: pciFunction } = address.pciController;
  const pci = [domain, bus, slot, pciFunction];
  hasNoUndefined(address, 'the address of a disk');
  assert.ok(busTypes.has(address.busType), address.busType);
  assert.ok(pci.every((part) => part === -1) || pci.every((part) => Number.isInteger(part) && part >= 0), 'a PCI address is known or −1 in all parts');
  for (const name of ['bus', 'target', 'unit'] as const) isCount(address[name], name);
}

const usageCases: readonly ContractCase<FileSystemUsage>[] = [
  {
    name: 'every file system is there once, with sizes that fit each other',
    run: async (usage) => {
      const list = await usage.list();

      areDifferent(list.map(({ mountPoint }) => mountPoint), 'mount points');
      for (const one of list) {
        hasNoUndefined(one, one.mountPoint);
        isText(one.name, 'name');
        isText(one.type, 'type');
        for (const address of one.disks) isAddress(address);
        if (one.usedBytes === undefined || one.totalBytes === undefined) continue;
        isCounter(one.usedBytes, 'usedBytes');
        isCounter(one.totalBytes, 'totalBytes');
        if (one.totalBytesPrivileged !== undefined) assert.ok(one.totalBytes <= one.totalBytesPrivileged && one.usedBytes <= one.totalBytesPrivileged);
      }
    },
  },
  {
    name: 'a file system that is known to be mounted is in the list',
    skip: ({ knows }) => (knows.mountPoint === undefined ? 'needs a file system with a block device' : undefined),
    run: async (usage, { knows }) => {
      const list = await usage.list();

      assert.ok(list.some(({ mountPoint }) => mountPoint === knows.mountPoint));
    },
  },
];

const diskCases: readonly ContractCase<Disks>[] = [
  {
    name: 'every device is there once, a disk before its partitions',
    run: async (disks) => {
      const list = await disks.list();

      areDifferent(list.map(({ name }) => name), 'names');
      for (const [index, one] of list.entries()) {
        hasNoUndefined(one, one.name);
        isText(one.name, 'name');
        if (one.address !== undefined) isAddress(one.address);
        if (!one.partition) continue;
        const before = new Set(list.slice(0, index).map(({ name }) => name));
        assert.ok(one.dependencies?.some((name) => before.has(name)), `the disk of ${one.name} comes before it`);
      }
    },
  },
  {
    name: 'the health of an NVMe disk is given in whole counters',
    run: async (disks) => {
      for (const { name, smart } of await disks.list()) {
        if (smart === undefined) continue;
        for (const [key, value] of Object.entries(smart)) {
          if (typeof value === 'bigint') assert.ok(value >= 0n && value < 2n ** 128n, `${name}: ${key}`);
          else isCount(value, `${name}: ${key}`);
        }
      }
    },
  },
];

const statisticsCases: readonly ContractCase<DiskStatistics>[] = [
  {
    name: 'counters are exact, and those that are not kept are left out',
    run: async (statistics) => {
      for (const { name, major, minor, counters } of await statistics.list()) {
        isText(name, 'name');
        isCount(major, 'major');
        isCount(minor, 'minor');
        hasNoUndefined(counters, name);
        for (const [key, value] of Object.entries(counters)) isCounter(value, `${name}: ${key}`);
      }
    },
  },
];

const trimCases: readonly ContractCase<Trimming>[] = [
  {
    name: 'every file system is an entry with what was discarded or why it was not',
    skip: ({ safe }) => (safe.trim === true ? undefined : 'needs a machine whose file systems may be trimmed'),
    run: async (trimming) => {
      const outcomes = await trimming.trim(0n);

      areDifferent(outcomes.map(({ path }) => path), 'paths');
      for (const outcome of outcomes) {
        hasNoUndefined(outcome, outcome.path);
        if (outcome.error === undefined && outcome.trimmed !== undefined) isCounter(outcome.trimmed, 'trimmed');
        else if (outcome.error !== undefined) isText(outcome.error, 'error');
      }
    },
  },
  {
    name: 'a smallest range that no file system has is an error of entries, not of the call',
    skip: ({ safe }) => (safe.trim === true ? undefined : 'needs a machine whose file systems may be trimmed'),
    run: async (trimming) => {
      const outcomes = await trimming.trim(2n ** 64n - 1n);

      assert.ok(outcomes.every(({ error, trimmed }) => error !== undefined || trimmed === 0n || trimmed === undefined));
    },
  },
];

export const usageContract = contractGroup('fileSystem.usage', (backend) => backend.fileSystem?.usage, usageCases);
export const diskContract = contractGroup('fileSystem.disks', (backend) => backend.fileSystem?.disks, diskCases);
export const diskStatisticsContract = contractGroup('fileSystem.diskStatistics', (backend) => backend.fileSystem?.diskStatistics, statisticsCases);
export const trimContract = contractGroup('fileSystem.trimming', (backend) => backend.fileSystem?.trimming, trimCases);
