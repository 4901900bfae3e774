// SPDX-License-Identifier: Apache-2.0
import type { Connection, Log, Transport } from '../../core/ports/index.ts';
import { BackOff } from './back-off.ts';

/** A channel that was open for so long worked, in milliseconds. */
const LASTED = 5000;

export interface RetryOptions {
  /** For the first attempt. */
  readonly first: Transport;
  /** A fresh transport for each further one. */
  readonly create: () => Promise<Transport>;
  /** `Channels.appears` of the channel: true once its device has come, false where time is what helps. */
  readonly appears?: (signal: AbortSignal) => Promise<boolean>;
  readonly log: Log;
  /** Told each time that the channel is opened, and why it is not. */
  readonly channelIs?: (state: string) => void;
  readonly backOff?: BackOff;
}

/**
 * `--retry-path`: a channel that is missing, or goes away, is waited for. A device that does not exist is watched for; one
 * that exists and cannot be opened is tried again, soon at first and then more seldom.
 */
export class RetryingTransport implements Transport {
  readonly description: string;
  /** It is never given up. */
  readonly lost = new Promise<Error>(() => {});
  readonly #options: RetryOptions;
  readonly #backOff: BackOff;
  readonly #stopped = new AbortController();
  #current: Transport;
  #isOpen = false;

  constructor(options: RetryOptions) {
    this.#options = options;
    this.#backOff = options.backOff ?? new BackOff();
    this.#current = options.first;
    this.description = this.#current.description;
  }

  /** Resolves after the first attempt, whatever became of it. */
  async open(connected: (connection: Connection) => void): Promise<void> {
    const failure = await this.#attempt(connected);
    void this.#keepOpen(failure, connected);
  }

  /** A channel that is waited for cannot be. */
  canHandOver(): boolean {
    return this.#isOpen && this.#current.canHandOver?.() === true;
  }

  handOver(): boolean {
    if (!this.#isOpen || this.#current.handOver?.() !== true) return false;
    this.#stopped.abort();
    return true;
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#current.close();
  }

  async #keepOpen(first: Error | undefined, connected: (connection: Connection) => void): Promise<void> {
    const { log } = this.#options;
    let failure = first;
    let said = '';
    while (!this.#stopped.signal.aborted) {
      if (failure === undefined) {
        const opened = performance.now();
        const lost = await this.#lossOf(this.#current);
        this.#isOpen = false;
        // A device that fails as soon as it is open deserves no hurry.
        if (performance.now() - opened > LASTED) this.#backOff.reset();
        await this.#current.close();
        this.#options.channelIs?.(`Waiting: ${lost.message}`);
        log.warning(`${this.description} is lost: ${lost.message}; waiting for it to come back`);
      } else if (failure.message !== said) {
        log.warning(`${failure.message}; trying again until it works`);
      }
      said = failure?.message ?? '';
      await this.#wait();
      if (this.#stopped.signal.aborted) return;
      failure = await this.#attempt(connected, this.#options.create);
    }
  }

  async #attempt(connected: (connection: Connection) => void, create?: () => Promise<Transport>): Promise<Error | undefined> {
    const { channelIs } = this.#options;
    try {
      if (create !== undefined) this.#current = await create();
      // Closed meanwhile: what comes about now is nobody's.
      if (this.#stopped.signal.aborted) return undefined;
      await this.#current.open(connected);
      if (this.#stopped.signal.aborted) await this.#current.close();
      this.#isOpen = true;
      channelIs?.(`Serving ${this.description}`);
      return undefined;
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      channelIs?.(`Waiting: ${failure.message}`);
      return failure;
    }
  }

  /** A transport of a backend may break its word and reject: then it is lost, too. */
  async #lossOf(transport: Transport): Promise<Error> {
    return transport.lost.catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
  }

  /** A device that was lost may still be there for a moment while the kernel takes it apart. */
  async #wait(): Promise<void> {
    const { signal } = this.#stopped;
    const came = (await this.#options.appears?.(signal)) ?? false;
    if (!came) await delay(this.#backOff.next(), signal);
  }
}

function delay(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const stop = (): void => resolve();
  signal.addEventListener('abort', stop);
  return promise.finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  });
}
