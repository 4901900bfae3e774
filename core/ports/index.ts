// SPDX-License-Identifier: Apache-2.0
export type * from './accounts.ts';
export type * from './audit.ts';
export type * from './clock.ts';
export type * from './diagnosis.ts';
export type * from './file-system.ts';
export type * from './freezing.ts';
export type * from './generation.ts';
export type * from './hooks.ts';
export type * from './host.ts';
export type * from './hotplug.ts';
export type * from './keeper.ts';
export type * from './log.ts';
export type * from './memory.ts';
export type * from './network.ts';
export type * from './power.ts';
export type * from './processes.ts';
export type * from './processors.ts';
export type * from './programs.ts';
export type * from './state-store.ts';
export type * from './transport.ts';

import type { Accounts } from './accounts.ts';
import type { Clock } from './clock.ts';
import type { Diagnosis } from './diagnosis.ts';
import type { FileSystem } from './file-system.ts';
import type { Generation } from './generation.ts';
import type { Hooks } from './hooks.ts';
import type { Host } from './host.ts';
import type { Hotplug } from './hotplug.ts';
import type { Memory } from './memory.ts';
import type { Network } from './network.ts';
import type { Power } from './power.ts';
import type { Processes } from './processes.ts';
import type { Processors } from './processors.ts';
import type { Channels } from './transport.ts';

/**
 * What a backend brings: an operating system. Only the clock is compulsory; a command whose port or capability group
 * is absent does not exist on this machine. State store and log are the agent's own and come from elsewhere; channels only
 * where the system has others than the agent knows.
 */
export interface Backend {
  readonly clock: Clock;
  readonly fileSystem?: FileSystem;
  readonly power?: Power;
  readonly network?: Network;
  readonly processes?: Processes;
  readonly accounts?: Accounts;
  readonly processors?: Processors;
  readonly memory?: Memory;
  readonly host?: Host;
  readonly hooks?: Hooks;
  readonly generation?: Generation;
  readonly hotplug?: Hotplug;
  readonly channels?: Channels;
  readonly diagnosis?: Diagnosis;
}
