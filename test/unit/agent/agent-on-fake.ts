// SPDX-License-Identifier: Apache-2.0
import type { MachineDescription } from '../../../adapters/fake/description.ts';
import { FakeLog } from '../../../adapters/fake/log.ts';
import { createFakeMachine } from '../../../adapters/fake/machine.ts';
import { FakeStateStore } from '../../../adapters/fake/state-store.ts';
import { FakeTransport } from '../../../adapters/fake/transport.ts';
import { handlers } from '../../../core/commands/index.ts';
import type { CommandHandler } from '../../../core/commands/command.ts';
import { composeAgent } from '../../../core/compose-agent.ts';
import type { FurtherChannel } from '../../../core/agent.ts';
import type { PolicyLists, PolicyRules } from '../../../core/policy/policy.ts';
import type { Audit, Backend } from '../../../core/ports/index.ts';

interface Options {
  readonly machine?: Partial<MachineDescription>;
  readonly lists?: Partial<PolicyLists>;
  readonly policy?: PolicyRules;
  readonly channel?: string;
  readonly channels?: readonly FurtherChannel[];
  readonly audit?: Audit;
  /** Changes what the machine's backend brings. */
  readonly backend?: (backend: Backend) => Backend;
  readonly handlers?: readonly CommandHandler[];
  /** Bytes that a host may leave unread before the agent waits. */
  readonly highWater?: number;
}

/** A whole agent on a guest in memory, with a transport that hosts connect to. */
export async function agentOnFake({ machine: description = {}, lists = {}, backend: change = (same) => same, handlers: chosen = handlers, highWater, policy, channel, channels, audit }: Options = {}) {
  const machine = createFakeMachine(description);
  const backend = change(machine.backend);
  const log = new FakeLog();
  const stateStore = new FakeStateStore();
  const agent = composeAgent({
    backend, handlers: chosen, log, stateStore,
    freezeSettings: { deadlineMs: 600_000, withinMs: 0, excluded: [], unknownMountPoints: 'error' },
    lists: { allow: [], block: [], ...lists },
    version: '11.1.0',
    ...(policy === undefined ? {} : { policy }),
    ...(channel === undefined ? {} : { channel }),
    ...(channels === undefined ? {} : { channels }),
    ...(audit === undefined ? {} : { audit }),
  });
  const transport = new FakeTransport(highWater === undefined ? {} : { highWater });
  await transport.open((connection) => agent.serve(connection));
  const further = new Map<string, FakeTransport>();
  for (const { name } of channels ?? []) {
    const its = new FakeTransport(highWater === undefined ? {} : { highWater });
    further.set(name, its);
    await its.open((connection) => agent.serve(connection, name));
  }
  return {
    machine, agent, log, stateStore, transport,
    connect: (name?: string) => (name === undefined ? transport : (further.get(name) as FakeTransport)).connect(),
  };
}

export const request = (execute: string, args?: object, id?: unknown): string =>
  `${JSON.stringify({ execute, ...(args === undefined ? {} : { arguments: args }), ...(id === undefined ? {} : { id }) })}\n`;

export const refusal = (description: string, kind = 'GenericError'): string => `{"error": {"class": "${kind}", "desc": "${description}"}}`;
