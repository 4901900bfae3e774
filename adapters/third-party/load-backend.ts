// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../core/errors/agent-error.ts';
import type { Backend } from '../../core/ports/index.ts';
import type { BackendDefinition, BackendOptions } from './backend-definition.ts';
import { capabilitiesOf } from './declared-capabilities.ts';
import { missingMethods } from './validation/guard-backend.ts';

/**
 * Loads a backend and checks that it brings what it declares.
 *
 * @throws failed error that says what to fix, or whatever `load` throws
 */
export async function loadBackend(definition: BackendDefinition, options: BackendOptions = {}): Promise<Backend> {
  const backend: unknown = await definition.load(options);
  if (!isBackend(backend)) {
    throw AgentError.failed(`the backend '${definition.id}' brings no clock: 'load' has to answer an object with at least 'clock'`);
  }
  const brought = capabilitiesOf(backend);
  const missing = definition.capabilities.filter((name) => !brought.includes(name));
  const undeclared = brought.filter((name) => !definition.capabilities.includes(name));
  if (missing.length > 0) throw AgentError.failed(`the backend '${definition.id}' declares ${missing.join(', ')} and does not bring it: bring it, or take it out of 'capabilities'`);
  const half = missingMethods(backend);
  if (half.length > 0) throw AgentError.failed(`the backend '${definition.id}' brings only half of a port: add ${half.join(', ')}, or leave the group out`);
  if (undeclared.length > 0) throw AgentError.failed(`the backend '${definition.id}' brings ${undeclared.join(', ')} and does not declare it: add it to 'capabilities'`);
  return backend;
}

const isBackend = (value: unknown): value is Backend =>
  typeof value === 'object' && value !== null && 'clock' in value && typeof value.clock === 'object' && value.clock !== null;
