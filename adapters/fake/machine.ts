// SPDX-License-Identifier: Apache-2.0
import type { Backend, FileSystem } from '../../core/ports/index.ts';
import { FakeAccounts } from './accounts.ts';
import type { FakeCapability } from './capabilities.ts';
import { FakeClock } from './clock.ts';
import { defaultDescription } from './default-machine.ts';
import type { FileDescription, MachineDescription } from './description.ts';
import { FakeDisks } from './disks.ts';
import { Faults } from './faults.ts';
import { fakeFileAccess } from './file-access.ts';
import { FakeFileSystems } from './file-systems.ts';
import { FileTree } from './file-tree.ts';
import { FakeFiles } from './files.ts';
import { FakeFreezing } from './freezing.ts';
import { FakeGeneration } from './generation.ts';
import { FakeHooks } from './hooks.ts';
import { FakeHost } from './host.ts';
import type { Credentials } from './inodes.ts';
import { FakeHotplug } from './hotplug.ts';
import { FakeMemory } from './memory.ts';
import { FakeNetwork } from './network.ts';
import { FakePower } from './power.ts';
import { FakeProcesses } from './processes.ts';
import { FakeProcessors } from './processors.ts';
import { standardPrograms } from './programs.ts';
import { fakeTrimming } from './trimming.ts';

/** A whole guest in memory: its backend for an agent, and everything behind it for a test to look at and change. */
export interface FakeMachine {
  /** What an agent is given. Every call can be made to fail, see `faults`. */
  readonly backend: Backend;
  readonly faults: Faults;
  readonly clock: FakeClock;
  readonly files: FakeFiles;
  readonly fileSystems: FakeFileSystems;
  readonly freezing: FakeFreezing;
  readonly disks: FakeDisks;
  readonly processes: FakeProcesses;
  readonly accounts: FakeAccounts;
  readonly processors: FakeProcessors;
  readonly memory: FakeMemory;
  readonly network: FakeNetwork;
  readonly power: FakePower;
  readonly host: FakeHost;
  readonly hooks: FakeHooks;
  readonly generation: FakeGeneration;
  readonly hotplug: FakeHotplug;
  /** Identity of this boot, for a state store. */
  readonly bootId: string;
}

/**
 * Builds a guest.
 *
 * @param description what is different from the default machine; see `defaultDescription`
 * @throws Error or os error for a description that cannot be, such as a mount point inside a file
 */
export function createFakeMachine(description: Partial<MachineDescription> = {}): FakeMachine {
  const full = { ...defaultDescription, ...description };
  const agent = { ...defaultDescription.agent, ...description.agent };
  const who: Credentials = { uid: agent.uid, gid: agent.gid, groups: agent.groups };
  const clock = new FakeClock({ ...full, maySet: agent.uid === 0 });
  const faults = new Faults(clock);
  const tree = new FileTree();
  const files = new FakeFiles(tree);
  const fileSystems = new FakeFileSystems(tree, clock, faults);
  mountEverything(fileSystems, files, full.mounts);
  for (const [path, program] of Object.entries(standardPrograms)) files.program(path, program);
  for (const [path, file] of Object.entries({ ...defaultDescription.files, ...description.files })) place(files, path, file);
  files.generated('/proc/uptime', () => `${Number(clock.monotonic() / 10_000_000n) / 100} 0.00\n`);
  files.directory(agent.workingDirectory);

  const freezing = new FakeFreezing({ fileSystems, clock, faults, who });
  const disks = new FakeDisks(full.disks);
  const processes = new FakeProcesses({ tree, clock, who, ...agent, firstPid: full.firstPid, users: () => accounts.users });
  const accounts = new FakeAccounts(full.users, full.sessions, files, tree, who);
  const processors = new FakeProcessors(full.processors, full.load, clock);
  const memory = new FakeMemory(full.memory);
  const network = new FakeNetwork(full.interfaces, full.routes);
  const power = new FakePower(clock, full.suspend.modes, full.suspend.able);
  const host = new FakeHost({ ...defaultDescription.host, ...description.host });
  const hooks = new FakeHooks(full.hooks, clock, fileSystems);
  const generation = new FakeGeneration(full.generationHooks, clock);
  const hotplug = new FakeHotplug(processors, memory);

  const fileSystem: Required<FileSystem> = {
    files: fakeFileAccess({ tree, who, workingDirectory: agent.workingDirectory }),
    freezing: freezing.port(),
    trimming: fakeTrimming({ fileSystems, faults, who }),
    usage: disks.usage(fileSystems, faults),
    disks: disks.disks(),
    diskStatistics: disks.statistics(),
  };
  const parts: FakePorts = {
    clock,
    fileSystem,
    processes,
    hooks,
    generation,
    hotplug,
    power: power.port(),
    network: network.port(),
    accounts: accounts.port(),
    processors: processors.port(),
    memory: memory.port(),
    host: host.port(),
  };
  return {
    backend: { clock: faults.wrap(leaveOut(clock, 'clock', full.without), 'clock'), ...guardedPorts(parts, full.without, faults) },
    faults, clock, files, fileSystems, freezing, disks, processes, accounts, processors, memory, network, power, host, hooks, generation, hotplug,
    bootId: full.bootId,
  };
}

/** What a guest in memory has: it is reached by whatever channels the system has that it runs on, and nothing ails it. */
type FakePorts = Required<Omit<Backend, 'channels' | 'diagnosis'>>;

function guardedPorts(parts: FakePorts, without: readonly FakeCapability[], faults: Faults): Omit<Backend, 'clock'> {
  const guard = <T extends object>(port: T, name: FakeCapability & keyof FakePorts): T | undefined =>
    without.includes(name) ? undefined : faults.wrap(leaveOut(port, name, without), name);
  const all: { [Name in Exclude<keyof FakePorts, 'clock'>]: Backend[Name] | undefined } = {
    fileSystem: guard(parts.fileSystem, 'fileSystem'),
    power: guard(parts.power, 'power'),
    network: guard(parts.network, 'network'),
    processes: guard(parts.processes, 'processes'),
    accounts: guard(parts.accounts, 'accounts'),
    processors: guard(parts.processors, 'processors'),
    memory: guard(parts.memory, 'memory'),
    host: guard(parts.host, 'host'),
    hooks: guard(parts.hooks, 'hooks'),
    generation: guard(parts.generation, 'generation'),
    hotplug: guard(parts.hotplug, 'hotplug'),
  };
  return withoutUndefined(all);
}

type Present<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

/** The members that are there: a port that is left out is absent, not undefined. */
function withoutUndefined<T extends object>(members: T): Present<T> {
  const present: Present<T> = { ...members };
  for (const [key, value] of Object.entries(members)) if (value === undefined) Reflect.deleteProperty(present, key);
  return present;
}

/** A view of a port in which some groups are not there. */
function leaveOut<T extends object>(port: T, name: string, without: readonly string[]): T {
  if (!without.some((capability) => capability.startsWith(`${name}.`))) return port;
  const hidden = (key: string | symbol): boolean => typeof key === 'string' && without.includes(`${name}.${key}`);
  return new Proxy(port, {
    get: (target, key) => {
      if (hidden(key)) return undefined;
      const member: unknown = Reflect.get(target, key);
      if (typeof member === 'function') return (...rest: unknown[]): unknown => Reflect.apply(member, target, rest);
      return typeof key === 'string' && typeof member === 'object' && member !== null ? leaveOut(member, `${name}.${key}`, without) : member;
    },
    has: (target, key) => !hidden(key) && Reflect.has(target, key),
    ownKeys: (target) => Reflect.ownKeys(target).filter((key) => !hidden(key)),
  });
}

/** Mount points and image files are made where they are missing, as an installer would have. */
function mountEverything(fileSystems: FakeFileSystems, files: FakeFiles, mounts: MachineDescription['mounts']): void {
  for (const mount of mounts) {
    if (mount.mountPoint !== '/') files.directory(mount.mountPoint);
    if ('image' in mount && mount.image !== undefined && !files.exists(mount.image)) files.write(mount.image, '');
    fileSystems.mount(mount);
  }
}

function place(files: FakeFiles, path: string, file: FileDescription): void {
  if (typeof file === 'string') return files.write(path, file);
  if ('text' in file) return files.write(path, file.text, file);
  if ('bytes' in file) return files.write(path, file.bytes, file);
  if ('generate' in file) return files.generated(path, file.generate, file);
  if ('program' in file) return files.program(path, file.program, file);
  if ('symlink' in file) return files.symlink(file.symlink, path, file);
  if ('device' in file) return files.device(path, file.device, file);
  if ('fifo' in file) return files.fifo(path, file);
  return files.directory(path, file);
}
