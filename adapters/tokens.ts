// SPDX-License-Identifier: Apache-2.0
import type { ServiceIdentifier } from 'inversify';
import type * as ports from '../core/ports/index.ts';
import type { Agent as AgentClass } from '../core/agent.ts';

/** A token and its type share one name: `container.get(Log)` is a `Log`. */
const token = <T>(name: string): ServiceIdentifier<T> => Symbol.for(`concierge-ga/${name}`);

export type Log = ports.Log;
export const Log = token<Log>('Log');
export type StateStore = ports.StateStore;
export const StateStore = token<StateStore>('StateStore');
export type Transport = ports.Transport;
export const Transport = token<Transport>('Transport');
export type Backend = ports.Backend;
export const Backend = token<Backend>('Backend');
export type Agent = AgentClass;
export const Agent = token<Agent>('Agent');
