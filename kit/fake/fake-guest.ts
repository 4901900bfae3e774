// SPDX-License-Identifier: Apache-2.0
import { duplexPair, type Duplex } from 'node:stream';

import { FakeLog } from '../../adapters/fake/log.ts';
import type { FakeMachine } from '../../adapters/fake/machine.ts';
import { parseScenario } from '../../adapters/fake/scenario/parse-scenario.ts';
import { ScenarioGuest } from '../../adapters/fake/scenario/scenario-guest.ts';
import type { Scenario } from '../../adapters/fake/scenario/scenario.ts';
import { FakeStateStore } from '../../adapters/fake/state-store.ts';
import type { Agent } from '../../core/agent.ts';
import { composeAgent } from '../../core/compose-agent.ts';
import type { Backend } from '../../core/ports/index.ts';
import { commandNames } from '../../core/schema/index.ts';
import { streamConnection } from '../../adapters/channels/stream-connection.ts';

export interface FakeGuestOptions {
  /** Real time; default false: time stands still until `advance`. */
  readonly realTime?: boolean;
  /** How long a freeze lasts without a thaw, in milliseconds; default 600 000, 0: for ever. */
  readonly freezeTimeoutMs?: number;
  /** How long freezing may take before it is undone, in milliseconds; default 120 000, 0: for ever. */
  readonly freezeWithinMs?: number;
  readonly blockRpcs?: readonly string[];
  readonly allowRpcs?: readonly string[];
}

/** A guest with a running agent in this process. */
export interface FakeGuest {
  readonly machine: FakeMachine;
  readonly log: FakeLog;
  /** False from the moment the agent was killed until the next one runs. */
  readonly isAlive: boolean;
  /** The host's end of a new connection, for `new GuestClient(…)` or any other code. */
  connect(): Duplex;
  /** Lets so many milliseconds of the machine's time pass, with all that happens in them. */
  advance(ms: number): Promise<void>;
  stop(): Promise<void>;
}

/**
 * Starts a guest with the agent of this package in it, without a process, a socket or a file.
 *
 * @param scenario an object, or the text of a scenario file
 * @throws failed error with the lines that are wrong
 */
export async function createFakeGuest(scenario: Scenario | string = {}, options: FakeGuestOptions = {}): Promise<FakeGuest> {
  const log = new FakeLog();
  const parsed = typeof scenario === 'string' ? parseScenario(scenario, { commands: commandNames }) : scenario;
  const stateStore = new FakeStateStore(parsed.machine?.bootId === undefined ? {} : { bootId: parsed.machine.bootId });
  const guest = await ScenarioGuest.start({
    scenario: parsed,
    realTime: options.realTime ?? false,
    createAgent: (backend) => agentOn(backend, stateStore, log, options),
  });
  return {
    machine: guest.machine,
    log,
    get isAlive() {
      return guest.isAlive;
    },
    connect: () => {
      const [hostEnd, agentEnd] = duplexPair();
      // A pair does not know that its other half was destroyed; a socket would.
      hostEnd.once('close', () => agentEnd.destroy());
      agentEnd.once('close', () => hostEnd.destroy());
      guest.serve(streamConnection(agentEnd));
      return hostEnd;
    },
    advance: (ms) => guest.machine.clock.advance(ms),
    stop: () => guest.stop(),
  };
}

async function agentOn(backend: Backend, stateStore: FakeStateStore, log: FakeLog, options: FakeGuestOptions): Promise<Agent> {
  const agent = composeAgent({
    backend, log, stateStore,
    freezeSettings: {
      deadlineMs: options.freezeTimeoutMs ?? 600_000,
      withinMs: options.freezeWithinMs ?? 120_000,
      excluded: [],
      unknownMountPoints: 'error',
    },
    lists: { block: options.blockRpcs ?? [], allow: options.allowRpcs ?? [] },
    version: '11.1.0+concierge.fake',
  });
  await agent.freeze?.recoverAtStart();
  return agent;
}
