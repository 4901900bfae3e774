// SPDX-License-Identifier: Apache-2.0
import { fakeCapabilities } from '../capabilities.ts';
import type { FileDescription, MachineDescription } from '../description.ts';
import type { DiskDescription } from '../disks.ts';
import { pciAddress } from '../disks.ts';
import type { MountDescription } from '../file-systems.ts';
import type { ProgramContext } from '../programs.ts';
import {
  big, duration, flag, instant, listOf, mapOf, number, record, required, size, text, textOr, turned, whole, word, type Shape,
} from '../../shared/yaml-shape.ts';

const ownership = { mode: whole, uid: whole, gid: whole };

const mount: Shape<MountDescription> = turned(
  record('a mount', {
    mountPoint: required(text), bindOf: text, id: text, type: text, source: text, readOnly: flag, capacity: size, occupied: size,
    image: text, liesOn: listOf(text), freezable: flag,
    leftOut: word('reason', ['read-only', 'network', 'fuse', 'overlay', 'pseudo', 'not-freezable', 'excluded', 'cannot-open', 'covered', 'no-device']),
  }),
  ({ mountPoint, bindOf, capacity, occupied, readOnly, ...rest }) =>
    bindOf !== undefined
      ? { mountPoint, bindOf, ...(readOnly === undefined ? {} : { readOnly }) }
      : {
          mountPoint,
          // A device number of its own, where nobody cares which.
          id: `240:${Buffer.from(mountPoint).reduce((sum, byte) => (sum * 31 + byte) % 65_536, 7)}`,
          type: 'ext4',
          source: `/dev/mapper${mountPoint === '/' ? '/root' : mountPoint}`,
          ...rest,
          ...(readOnly === undefined ? {} : { readOnly }),
          ...(capacity === undefined ? {} : { capacityBytes: capacity }),
          ...(occupied === undefined ? {} : { occupiedBytes: occupied }),
        },
);

const disk: Shape<DiskDescription> = turned(
  record('a disk', {
    name: required(text), device: required(text), partitions: listOf(record('a partition', { name: required(text), device: required(text) })),
    dependencies: listOf(text), alias: text, bus: word('bus', ['virtio', 'scsi', 'sata', 'nvme', 'ide', 'usb']), slot: whole, serial: text,
  }),
  ({ bus, slot, serial, ...rest }) =>
    bus === undefined ? rest : { ...rest, address: pciAddress(bus, slot ?? -1, serial === undefined ? {} : { serial }) },
);

/** A program of the guest: what it prints, how long it takes, and how it ends. */
const program = record('a program', { prints: text, complains: text, takes: duration, exits: whole });

const file: Shape<FileDescription> = textOr(
  turned(record('a file', { ...ownership, text, directory: flag, symlink: text, fifo: flag, program }), ({ text: contents, directory, symlink, fifo, program: does, ...own }): FileDescription => {
    if (directory === true) return { ...own, directory };
    if (symlink !== undefined) return { ...own, symlink };
    if (fifo === true) return { ...own, fifo };
    if (does === undefined) return { ...own, text: contents ?? '' };
    const run = async ({ print, complain, sleep }: ProgramContext): Promise<number> => {
      print(does.prints ?? '');
      complain(does.complains ?? '');
      if (does.takes !== undefined) await sleep(does.takes);
      return does.exits ?? 0;
    };
    return { ...own, program: run };
  }),
);

const hookRun = turned(record('a run of a hook', { ok: flag, output: text, error: text, takes: duration }), ({ takes, ...rest }) => ({
  ...rest,
  ...(takes === undefined ? {} : { takesMs: takes }),
}));

const hook = record('a hook', {
  name: required(text), refused: text, canVeto: flag, phases: record('the phases of a hook', { freeze: hookRun, freezefail: hookRun, thaw: hookRun }),
});

const generationHook = turned(record('a generation hook', { name: required(text), refused: text, ok: flag, output: text, error: text, takes: duration }), ({ takes, ...rest }) => ({
  ...rest,
  ...(takes === undefined ? {} : { takesMs: takes }),
}));

const networkInterface = turned(
  record('an interface', {
    name: required(text), hardwareAddress: text,
    addresses: listOf(record('an address', { family: required(word('family', ['ipv4', 'ipv6'])), address: required(text), prefix: required(whole) })),
  }),
  ({ addresses = [], ...rest }) => ({ ...rest, addresses }),
);

/** The machine of a scenario: what is different from the default one. */
export const machineShape: Shape<Partial<MachineDescription>> = turned(
  record('the machine', {
    startTime: instant, hardwareClock: word('hardware clock', ['present', 'absent']), hypervisorClock: word('hypervisor clock', ['present', 'absent']), bootId: text,
    agent: record('the agent', { uid: whole, gid: whole, groups: listOf(whole), workingDirectory: text, environment: listOf(text) }),
    without: listOf(word('group of a port', fakeCapabilities)),
    mounts: listOf(mount), disks: listOf(disk), files: mapOf(file),
    users: listOf(record('a user', { name: required(text), uid: required(whole), gid: required(whole), home: required(text), groups: listOf(text) })),
    sessions: listOf(record('a session', { user: required(text), domain: text, loginTime: required(number) })),
    interfaces: listOf(networkInterface),
    processors: listOf(record('a processor', { logicalId: required(whole), online: required(flag), canOffline: required(flag) })),
    memory: record('the memory', {
      blockSize: required(big),
      blocks: required(listOf(record('a memory block', { physIndex: required(big), online: required(flag), canOffline: required(flag), pinned: flag }))),
    }),
    hostName: text,
    timeZone: record('the time zone', { offset: required(whole), zone: text }),
    os: record('the operating system', {
      id: text, name: text, prettyName: text, version: text, versionId: text, variant: text, variantId: text,
      kernelRelease: text, kernelVersion: text, machine: text,
    }),
    hooks: listOf(hook), generationHooks: listOf(generationHook), firstPid: whole,
  }),
  ({ hostName, timeZone, os, ...rest }) => ({
    ...rest,
    host: {
      ...(hostName === undefined ? {} : { name: hostName }),
      ...(timeZone === undefined ? {} : { timeZone }),
      ...(os === undefined ? {} : { osInformation: os }),
    },
  }),
);
