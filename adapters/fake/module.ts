// SPDX-License-Identifier: Apache-2.0
import type { Backend } from '../../core/ports/index.ts';
import type { MachineDescription } from './description.ts';
import { createFakeMachine } from './machine.ts';

export interface FakeBackendOptions {
  /** What is different from the default machine. */
  readonly machine?: Partial<MachineDescription>;
}

/**
 * The backend of a fake guest that runs as a program (`--backend fake`): in real time, so that deadlines and the
 * guest's clock go on by themselves. A test that wants to look behind the ports uses `createFakeMachine`.
 */
export const fakeBackend = (options: FakeBackendOptions = {}): Backend =>
  createFakeMachine({ realTime: true, startTime: BigInt(Date.now()) * 1_000_000n, ...options.machine }).backend;
