// SPDX-License-Identifier: Apache-2.0
import type { Keeper } from '../../core/ports/index.ts';
import type { FakeTransport } from './transport.ts';

/** What a keeper knows of an agent. */
export interface KeptAgent {
  serve(connection: Parameters<Parameters<FakeTransport['open']>[0]>[0]): void;
  ready?(): void;
}

export interface FakeKeeperOptions {
  readonly transport: FakeTransport;
  /** Makes an agent, which is all that is left of the one before it. */
  readonly start: (keeper: Keeper) => Promise<KeptAgent>;
}

/** A keeper in memory: it starts agents on one transport, lets them sleep, and starts the next one when a host says something. */
export class FakeKeeper {
  readonly #options: FakeKeeperOptions;
  #legacy: string | undefined;
  #isAsleep = false;
  #renewal: (() => void) | undefined;
  #isRenewing = false;
  #starts = 0;
  #starting: Promise<void> = Promise.resolve();

  constructor(options: FakeKeeperOptions) {
    this.#options = options;
    options.transport.onInput = () => {
      if (this.#isAsleep) this.#start();
    };
  }

  /** No agent runs, and none is being started. */
  get isAsleep(): boolean {
    return this.#isAsleep;
  }

  /** Agents so far. */
  get starts(): number {
    return this.#starts;
  }

  /** The first agent. */
  begin(): Promise<void> {
    this.#start();
    return this.#starting;
  }

  /** The agent of now is gone between two moments, and with it what only it knew; the next one is started. */
  kill(): Promise<void> {
    this.#options.transport.abandon();
    this.#legacy = undefined;
    this.#start();
    return this.#starting;
  }

  /** The agent of now makes room for another one as soon as it is quiet, as for an update. */
  renew(): void {
    this.#isRenewing = true;
    this.#renewal?.();
  }

  /** Resolves when the agent that is being started serves. */
  get started(): Promise<void> {
    return this.#starting;
  }

  #start(): void {
    this.#isAsleep = false;
    this.#starts += 1;
    this.#starting = this.#bringUp();
  }

  async #bringUp(): Promise<void> {
    const { transport, start } = this.#options;
    const agent = await start({
      ...(this.#legacy === undefined ? {} : { legacy: this.#legacy }),
      sleep: (legacy) => this.#sleep(legacy),
      onRenewal: (listener) => {
        this.#renewal = listener;
      },
    });
    await transport.open((connection) => agent.serve(connection));
    agent.ready?.();
  }

  #sleep(legacy: string): boolean {
    if (!this.#options.transport.handOver()) return false;
    this.#legacy = legacy;
    this.#isAsleep = true;
    // Said between the last look and the handing over.
    if (this.#isRenewing || this.#options.transport.hasInput) this.#start();
    this.#isRenewing = false;
    return true;
  }
}
