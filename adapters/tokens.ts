import type { ServiceIdentifier } from 'inversify';
import type * as ports from '../core/ports/index.ts';
import type { Agent as AgentClass } from '../core/agent.ts';
import type { FreezeController } from '../core/freeze/controller.ts';

/** A token and its type share one name: `container.get(Clock)` is a `Clock`. */
const token = <T>(name: string): ServiceIdentifier<T> => Symbol.for(`concierge-ga/${name}`);

export type Clock = ports.Clock;
export const Clock = token<Clock>('Clock');
export type FileSystem = ports.FileSystem;
export const FileSystem = token<FileSystem>('FileSystem');
export type Power = ports.Power;
export const Power = token<Power>('Power');
export type Network = ports.Network;
export const Network = token<Network>('Network');
export type Processes = ports.Processes;
export const Processes = token<Processes>('Processes');
export type Accounts = ports.Accounts;
export const Accounts = token<Accounts>('Accounts');
export type Processors = ports.Processors;
export const Processors = token<Processors>('Processors');
export type Memory = ports.Memory;
export const Memory = token<Memory>('Memory');
export type Host = ports.Host;
export const Host = token<Host>('Host');
export type Hooks = ports.Hooks;
export const Hooks = token<Hooks>('Hooks');
export type Log = ports.Log;
export const Log = token<Log>('Log');
export type StateStore = ports.StateStore;
export const StateStore = token<StateStore>('StateStore');
export type Transport = ports.Transport;
export const Transport = token<Transport>('Transport');
export type Backend = ports.Backend;
export const Backend = token<Backend>('Backend');
/** A container binds no `undefined`: the controller, where the backend can freeze. */
export interface Freeze {
  readonly controller: FreezeController | undefined;
}
export const Freeze = token<Freeze>('Freeze');
export type Agent = AgentClass;
export const Agent = token<Agent>('Agent');
