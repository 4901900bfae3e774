// SPDX-License-Identifier: Apache-2.0
/** For people who write host software: a guest in memory with a running agent in it, and faults to inject. */
export type { FakeCapability } from '../../adapters/fake/capabilities.ts';
export { defaultDescription } from '../../adapters/fake/default-machine.ts';
export type { AgentDescription, FileDescription, MachineDescription } from '../../adapters/fake/description.ts';
export type { Fault, FaultRule } from '../../adapters/fake/faults.ts';
export { FakeLog } from '../../adapters/fake/log.ts';
export { createFakeMachine, type FakeMachine } from '../../adapters/fake/machine.ts';
export type { ProgramContext, ProgramFunction } from '../../adapters/fake/programs.ts';
export { parseScenario, type ParseOptions } from '../../adapters/fake/scenario/parse-scenario.ts';
export type { Action, Entry, Scenario, Trigger } from '../../adapters/fake/scenario/scenario.ts';
export { FakeStateStore } from '../../adapters/fake/state-store.ts';
export { FakeTransport, type FakeHostEnd } from '../../adapters/fake/transport.ts';
export { createFakeGuest, type FakeGuest, type FakeGuestOptions } from './fake-guest.ts';
