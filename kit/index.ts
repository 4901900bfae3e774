// SPDX-License-Identifier: Apache-2.0
/**
 * For people who bring another operating system: the ports, their errors, and the envelope of a backend. Nothing of the agent, of the
 * contract suite or of the fake is loaded by it.
 */
export type * from '../core/ports/index.ts';
export { AgentError, osCode, withContext, type AgentErrorKind, type OsFailure } from '../core/errors/agent-error.ts';
export { isPosixCode, posixError, posixErrorOf, posixNumber, posixText, type FailedCall, type PosixCode } from '../core/errors/posix-errno.ts';

export { capabilities, capabilitiesOf, type BackendCapability } from '../adapters/third-party/declared-capabilities.ts';
export { backendApiVersion, defineBackend, type BackendDefinition, type BackendOptions } from '../adapters/third-party/backend-definition.ts';

export { streamConnection } from '../adapters/channels/stream-connection.ts';
