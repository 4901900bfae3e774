/**
 * For people who bring another operating system, and for people who write host software: the ports, their errors,
 * the contract that every backend keeps, and a guest in memory.
 */
export type * from '../core/ports/index.ts';
export { AgentError, osCode, withContext, type AgentErrorKind, type OsFailure } from '../core/errors/agent-error.ts';
export { isPosixCode, posixError, posixErrorOf, posixNumber, posixText, type FailedCall, type PosixCode } from '../core/errors/posix-errno.ts';

export { capabilities, capabilitiesOf, type BackendCapability } from './capabilities.ts';
export {
  backendApiVersion, defineBackend, definitionIn, loadBackend, type BackendDefinition, type BackendOptions,
} from './define-backend.ts';

export { guardBackend, missingMethods } from './border/guard-backend.ts';

export { testBackend, type ContractOptions, type ContractRunner } from './contract/test-backend.ts';
export { posixPrograms, type ContractPrograms, type ProgramCall } from './contract/programs.ts';
export { scratchOnDisk, type ScratchFiles } from './contract/scratch.ts';
export type { ContractSubject, KnownFacts, SafeTargets } from './contract/subject.ts';

export { createFakeMachine, type FakeMachine } from '../adapters/fake/machine.ts';
export type { FakeCapability } from '../adapters/fake/capabilities.ts';
export type { AgentDescription, FileDescription, MachineDescription } from '../adapters/fake/description.ts';
export { defaultDescription } from '../adapters/fake/default-machine.ts';
export type { Fault, FaultRule } from '../adapters/fake/faults.ts';
export type { ProgramContext, ProgramFunction } from '../adapters/fake/programs.ts';
export { FakeLog } from '../adapters/fake/log.ts';
export { FakeStateStore } from '../adapters/fake/state-store.ts';
export { FakeTransport, type FakeHostEnd } from '../adapters/fake/transport.ts';

export { createFakeGuest, type FakeGuest, type FakeGuestOptions } from './guest/fake-guest.ts';
export { streamConnection } from '../adapters/channels/stream-connection.ts';
export { parseScenario, type ParseOptions } from '../adapters/fake/scenario/parse-scenario.ts';
export type { Action, Entry, Scenario, Trigger } from '../adapters/fake/scenario/scenario.ts';
