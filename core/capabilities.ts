import type { Backend } from './ports/index.ts';
import type { Capability } from './schema/command.ts';

/** Whether a backend brings what a command needs. */
export function hasCapability(backend: Backend, capability: Capability): boolean {
  const parts = capability.split('.');
  if (parts[0] === 'power' && parts[1] === 'suspend') {
    return backend.power?.suspend?.modes.has(parts[2] as 'disk' | 'ram' | 'hybrid') ?? false;
  }
  let group: unknown = backend;
  for (const part of parts) {
    if (typeof group !== 'object' || group === null) return false;
    group = (group as Readonly<Record<string, unknown>>)[part];
  }
  return group !== undefined;
}
