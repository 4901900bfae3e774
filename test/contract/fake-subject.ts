// SPDX-License-Identifier: Apache-2.0
import { createFakeMachine, defaultDescription, type FakeMachine, type MachineDescription, type ProgramFunction } from '../../kit/fake/index.ts';
import type { ContractPrograms, ContractSubject, ScratchFiles } from '../../kit/contract/index.ts';

/** Programs that behave as the contract wants, as functions of the fake. */
const programs: Readonly<Record<string, ProgramFunction>> = {
  '/usr/bin/exits': ({ argv }) => Number(argv[1]),
  '/usr/bin/dies-of': ({ argv }) => ({ signal: Number(argv[1]) }),
  '/usr/bin/prints': ({ argv, print, complain }) => {
    print(argv[1] ?? '');
    complain(argv[2] ?? '');
  },
  '/usr/bin/interleaves': ({ print, complain }) => {
    print('1');
    complain('2');
    print('3');
    complain('4');
  },
  '/usr/bin/prints-arguments': ({ argv, print }) => print(argv.slice(1).map((word) => `${word}\n`).join('')),
  '/usr/bin/prints-many': ({ argv, print }) => {
    for (let left = Number(argv[1]); left > 0; left -= 65_536) print('x'.repeat(Math.min(left, 65_536)));
  },
  '/usr/bin/leaves-child': ({ print, leaveChild, sleep }) => {
    print('done\n');
    const letGo = leaveChild();
    const child = async (): Promise<void> => {
      await sleep(5000);
      print('late\n');
      letGo();
    };
    void child();
  },
};

const contractPrograms = (machine: FakeMachine): ContractPrograms => ({
  exits: (code) => ({ path: '/usr/bin/exits', arguments: [`${code}`] }),
  diesOf: (signal) => ({ path: '/usr/bin/dies-of', arguments: [`${signal}`] }),
  prints: (output, errors) => ({ path: '/usr/bin/prints', arguments: [output, errors] }),
  interleaves: () => ({ path: '/usr/bin/interleaves', arguments: [] }),
  printsArguments: (...words) => ({ path: '/usr/bin/prints-arguments', arguments: words }),
  printsEnvironment: () => ({ path: '/usr/bin/env', arguments: [] }),
  copiesInput: () => ({ path: '/usr/bin/cat', arguments: [] }),
  printsMany: (count) => ({ path: '/usr/bin/prints-many', arguments: [`${count}`] }),
  waits: () => ({ path: '/usr/bin/sleep', arguments: ['300'] }),
  leavesChild: () => ({ path: '/usr/bin/leaves-child', arguments: [] }),
  floods: () => ({ path: '/usr/bin/yes', arguments: [] }),
  printsDirectory: () => ({ path: '/usr/bin/pwd', arguments: [] }),
  printsTerminalSize: () => ({ path: '/usr/bin/sh', arguments: ['-c', 'size'] }),
  byName: (argument) => ({ path: 'echo', arguments: [argument] }),
  install: async (path, executable) => machine.files.program(path, ({ print }) => print('found\n'), { mode: executable ? 0o755 : 0o644 }),
  searchPath: (...directories) => `PATH=${directories.join(':')}`,
});

const scratchOf = ({ files }: FakeMachine, uid: number): ScratchFiles => ({
  write: async (path, data, mode) => files.write(path, data, { uid, gid: uid, mode: mode ?? 0o644 }),
  read: async (path) => files.bytes(path),
  mode: async (path) => files.stat(path).mode,
  directory: async (path) => files.directory(path),
  symlink: async (target, path) => files.symlink(target, path),
  fifo: async (path) => files.fifo(path, { uid }),
});

/** The default machine of the fake with what the contract suite wants to know of it. */
export function fakeSubject(description: Partial<MachineDescription> = {}): ContractSubject {
  const uid = description.agent?.uid ?? 0;
  const machine = createFakeMachine({
    hooks: [{ name: 'db', phases: { freeze: { output: 'flushed\n' }, thaw: { ok: false, output: 'no such job\n' } } }, { name: 'open', refused: 'open can be written by everybody' }],
    generationHooks: [{ name: 'machine-id', output: 'new\n' }, { name: 'dhcp', ok: false, output: 'no lease\n' }, { name: 'loose', refused: 'loose can be written by everybody' }],
    hypervisorClock: 'present',
    ...description,
    host: {
      devices: [{ driverName: 'Red Hat VirtIO Ethernet Adapter', pciId: { vendorId: 0x1af4, deviceId: 0x1000 } }],
      driverPackages: [{ name: 'oem0.inf', originalName: 'netkvm.inf', version: '100.94.104.24800', vendor: 'Red Hat, Inc.' }],
      driverServices: [{ name: 'netkvm', driverPath: 'C:\\Windows\\System32\\drivers\\netkvm.sys', version: '100.94.104.24800', vendor: 'Red Hat, Inc.', status: 'running' }],
      ...description.host,
    },
    files: {
      ...Object.fromEntries(Object.entries(programs).map(([path, program]) => [path, { program }])),
      '/var/scratch': { directory: true, uid, gid: uid },
      '/mnt/cd/readme': 'read only\n',
    },
    mounts: [
      ...(description.mounts ?? defaultDescription.mounts),
      { id: '11:0', type: 'iso9660', source: '/dev/sr0', mountPoint: '/mnt/cd', readOnly: true },
    ],
  });
  const root = uid === 0;
  return {
    backend: machine.backend,
    scratchDirectory: '/var/scratch',
    scratch: scratchOf(machine, uid),
    knows: {
      programs: contractPrograms(machine),
      user: { name: 'bob', keys: '/home/bob/.ssh/authorized_keys' },
      mountPoint: '/data',
      ...(root ? {} : { forbiddenFile: '/etc/shadow' }),
      readOnlyFile: '/mnt/cd/readme',
      memoryDevices: true,
      memoryBlocks: true,
      loopback: 'lo',
      hostName: 'fake',
    },
    safe: {
      ...(root ? { freeze: [{ mountPoint: '/mnt/backup', writable: '/mnt/backup' }, { mountPoint: '/data', writable: '/data' }] } : {}),
      stateDirectory: '/run',
      trim: true,
      power: true,
      sshKeysOf: 'bob',
      hotplug: true,
      hooks: true,
      ...(root ? { passwordOf: 'alice', setTime: true } : {}),
    },
    plug: async () => {
      machine.hotplug.addProcessor(7);
      machine.hotplug.addMemory(99n);
      return [{ kind: 'processor', logicalId: 7n }, { kind: 'memory', physIndex: 99n }];
    },
    announce: async () => machine.generation.announce(),
    passTime: (ms) => machine.clock.advance(ms),
    cleanup: async () => machine.faults.clear(),
  };
}
