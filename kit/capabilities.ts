import type { Backend } from '../core/ports/index.ts';

/** Names of what a backend can bring beside its clock: a port, or a group of one, with dots. */
export const capabilities = [
  'clock.setting',
  'fileSystem.files', 'fileSystem.freezing', 'fileSystem.trimming', 'fileSystem.usage', 'fileSystem.disks', 'fileSystem.diskStatistics',
  'power.shutdown', 'power.suspend',
  'network.interfaces', 'network.routes',
  'processes',
  'accounts.sessions', 'accounts.passwords', 'accounts.sshKeys',
  'processors.online', 'processors.online.switching', 'processors.statistics', 'processors.load',
  'memory.blocks', 'memory.blocks.switching',
  'host.hostName', 'host.timeZone', 'host.osInformation', 'host.devices',
  'hooks',
  'channels',
  'diagnosis',
] as const;

export type BackendCapability = (typeof capabilities)[number];

export const isCapability = (name: unknown): name is BackendCapability => capabilities.some((known) => known === name);

/** Whether a backend has a port or group. */
export function has(backend: Backend, capability: BackendCapability): boolean {
  let group: unknown = backend;
  for (const part of capability.split('.')) {
    if (typeof group !== 'object' || group === null) return false;
    group = Reflect.get(group, part);
  }
  return group !== undefined;
}

/** Everything that a backend brings. */
export const capabilitiesOf = (backend: Backend): readonly BackendCapability[] => capabilities.filter((one) => has(backend, one));
