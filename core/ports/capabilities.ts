// SPDX-License-Identifier: Apache-2.0
import type { Backend } from './index.ts';
import type { SuspendMode } from './power.ts';

/**
 * Every capability group of the ports, in their order: what a backend may bring, and the only list of them. What derives from it
 * (the kit's declaration, the validation of a backend's answers, the contract suite, the fake's `without`, the words of a
 * scenario) names a new group by a type error until it is served there.
 */
export const capabilityGroups = [
  'clock', 'clock.setting', 'clock.references',
  'fileSystem.files', 'fileSystem.freezing', 'fileSystem.trimming', 'fileSystem.usage', 'fileSystem.disks', 'fileSystem.diskStatistics',
  'power.shutdown', 'power.suspend',
  'network.interfaces', 'network.routes',
  'processes', 'processes.interactive', 'processes.interactive.terminals',
  'accounts.sessions', 'accounts.passwords', 'accounts.sshKeys', 'accounts.groups',
  'processors.online', 'processors.online.switching', 'processors.statistics', 'processors.load',
  'memory.blocks', 'memory.blocks.switching',
  'host.hostName', 'host.timeZone', 'host.osInformation', 'host.devices', 'host.driverPackages', 'host.driverServices',
  'hooks',
  'generation',
  'hotplug',
  'channels',
  'diagnosis',
] as const;

export type CapabilityGroup = (typeof capabilityGroups)[number];

/** What a command can need: a group, or one mode of suspending. */
export type Capability = CapabilityGroup | `power.suspend.${SuspendMode}`;

/** Whether a backend brings a group, or a mode of suspending. */
export function hasCapability(backend: Backend, capability: Capability): boolean {
  const parts = capability.split('.');
  if (parts[0] === 'power' && parts[1] === 'suspend' && parts[2] !== undefined) {
    return backend.power?.suspend?.modes.has(parts[2] as SuspendMode) ?? false;
  }
  return groupOf(backend, capability) !== undefined;
}

/** What lies under a dotted name in a backend. */
export function groupOf(backend: Backend, name: string): unknown {
  return name.split('.').reduce<unknown>(
    (group, part) => (typeof group === 'object' && group !== null ? (group as Readonly<Record<string, unknown>>)[part] : undefined),
    backend,
  );
}

// -- the list is whole ------------------------------------------------------------------------------------

type Method = (...rest: never[]) => unknown;
type IsRequired<T, K extends keyof T> = object extends Pick<T, K> ? false : true;
type HasMethods<T> = { [K in keyof T]-?: NonNullable<T[K]> extends Method ? true : never }[keyof T];

/** Dotted names of all members of a port that have methods and may be absent. */
type Groups<T, Prefix extends string> = {
  [K in keyof T & string]-?: IsRequired<T, K> extends true
    ? never
    : NonNullable<T[K]> extends Method
      ? never
      : Groups<NonNullable<T[K]>, `${Prefix}${K}.`> | (true extends HasMethods<NonNullable<T[K]>> ? `${Prefix}${K}` : never);
}[keyof T & string];

type GroupsOfPorts = Groups<Backend, ''> | Groups<Pick<Backend, 'clock'>['clock'], 'clock.'> | 'clock';

/** A type error here names the groups that the ports have and the list lacks, or the other way about. */
export type ListIsWhole = Same<GroupsOfPorts, CapabilityGroup>;
type Same<Ports extends CapabilityGroup, List extends Ports> = [Ports, List];
