// SPDX-License-Identifier: Apache-2.0
import type { MachineDescription } from '../../../adapters/fake/description.ts';
import { FakeLog } from '../../../adapters/fake/log.ts';
import { createFakeMachine } from '../../../adapters/fake/machine.ts';
import { FakeStateStore } from '../../../adapters/fake/state-store.ts';
import { FakeTransport } from '../../../adapters/fake/transport.ts';
import { settled } from '../../../adapters/fake/clock.ts';
import { composeAgent } from '../../../core/compose-agent.ts';
import type { Backend } from '../../../core/ports/index.ts';
import { request } from '../agent/agent-on-fake.ts';

export interface Report {
  readonly number: number;
  readonly clock?: { readonly result: string; readonly occasion: string; readonly source?: string; readonly detail?: string; readonly 'off-by'?: number };
  readonly hooks: readonly { readonly name: string; readonly ok: boolean; readonly error?: string; readonly output: string }[];
  readonly 'hooks-under-way': boolean;
  readonly 'connections-dropped'?: number;
  readonly error?: string;
}

interface Options {
  readonly machine?: Partial<MachineDescription>;
  readonly backend?: (backend: Backend) => Backend;
  readonly limitMs?: number;
}

/** A guest in memory that can be restored, its agent, and a host that asks it. */
export async function restoredGuest({ machine: description = {}, backend: change = (same) => same, limitMs }: Options = {}) {
  const machine = createFakeMachine({ hypervisorClock: 'present', ...description });
  const log = new FakeLog();
  const agent = composeAgent({
    backend: change(machine.backend), log, stateStore: new FakeStateStore(),
    freezeSettings: { deadlineMs: 600_000, withinMs: 0, excluded: [], unknownMountPoints: 'error' },
    lists: { allow: [], block: [] },
    ...(limitMs === undefined ? {} : { generationSettings: { limitMs } }),
    version: '11.1.0',
  });
  const transport = new FakeTransport();
  await transport.open((connection) => agent.serve(connection));
  agent.ready();
  await settled();
  const host = transport.connect();
  const ask = async (execute: string, parameters?: object): Promise<unknown> => {
    host.send(request(execute, parameters));
    return (JSON.parse(await host.nextLine()) as { return?: unknown }).return;
  };
  return { machine, log, agent, transport, host, ask, report: async () => (await ask('__org.concierge_generation')) as Report };
}

/** Milliseconds. */
export const hour = 3_600_000;
export const year = 365.25 * 24 * hour;
