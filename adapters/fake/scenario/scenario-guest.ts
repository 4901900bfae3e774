// SPDX-License-Identifier: Apache-2.0
import type { Backend, Connection } from '../../../core/ports/index.ts';
import { createFakeMachine, type FakeMachine } from '../machine.ts';
import { FaultyConnection } from './faulty-connection.ts';
import { Lifetime } from './lifetime.ts';
import type { Scenario } from './scenario.ts';
import { Timeline } from './timeline.ts';

/** An agent as far as a scenario needs it. */
export interface ScenarioAgent {
  serve(connection: Connection): void;
  /** It serves from now on. */
  ready?(): void;
  stop(): Promise<void>;
}

export interface ScenarioGuestOptions {
  readonly scenario: Scenario;
  /** Real time instead of time by hand. */
  readonly realTime: boolean;
  /** Makes an agent on this backend; what an earlier one left frozen is taken over. Called for every new life. */
  readonly createAgent: (backend: Backend) => Promise<ScenarioAgent>;
}

/** A machine, the agent in it, and what goes wrong with both. */
export class ScenarioGuest implements ScenarioAgent {
  readonly machine: FakeMachine;
  readonly #createAgent: (backend: Backend) => Promise<ScenarioAgent>;
  readonly #timeline: Timeline;
  readonly #connections = new Set<FaultyConnection>();
  #lifetime = new Lifetime();
  #agent: ScenarioAgent | undefined;
  /** Hosts that came while no agent was there. */
  readonly #waiting: Connection[] = [];

  private constructor({ scenario, realTime, createAgent }: ScenarioGuestOptions) {
    this.#createAgent = createAgent;
    const start = realTime && scenario.machine?.startTime === undefined ? { startTime: BigInt(Date.now()) * 1_000_000n } : {};
    this.machine = createFakeMachine({ ...start, ...scenario.machine, realTime });
    this.#timeline = new Timeline(scenario.timeline ?? [], this.machine, {
      killAgent: (restartMs) => this.#kill(restartMs),
      dropConnections: () => this.#dropConnections(),
    });
  }

  /** @throws Error for a scenario that does not fit its machine */
  static async start(options: ScenarioGuestOptions): Promise<ScenarioGuest> {
    const guest = new ScenarioGuest(options);
    await guest.#live();
    guest.#timeline.start();
    return guest;
  }

  /** Whether an agent is there to answer. */
  get isAlive(): boolean {
    return this.#agent !== undefined;
  }

  serve(connection: Connection): void {
    if (this.#agent === undefined) {
      this.#waiting.push(connection);
      return;
    }
    const faulty = new FaultyConnection({
      inner: connection,
      clock: this.machine.clock,
      asked: (command) => this.#timeline.asked(command),
      closed: (one) => this.#connections.delete(one),
    });
    this.#connections.add(faulty);
    this.#agent.serve(faulty);
  }

  async stop(): Promise<void> {
    await this.#agent?.stop();
    this.#agent = undefined;
  }

  async #live(): Promise<void> {
    this.#lifetime = new Lifetime();
    this.#agent = await this.#createAgent(this.#lifetime.view(this.machine.backend));
    for (const connection of this.#waiting.splice(0)) this.serve(connection);
    this.#agent.ready?.();
  }

  #kill(restartMs: number | 'never'): void {
    this.#lifetime.end();
    this.#agent = undefined;
    this.#dropConnections();
    if (restartMs !== 'never') this.machine.clock.after(restartMs, () => void this.#live());
  }

  #dropConnections(): void {
    for (const connection of this.#connections) connection.drop();
    this.#connections.clear();
  }
}
