// SPDX-License-Identifier: Apache-2.0
import type { Clock, Timer } from './ports/index.ts';

const NS_PER_MS = 1_000_000n;
/** Where it is quiet and cannot sleep, because an answer waits to be taken, it is tried again no sooner than so. */
const retryMs = 1000;

export interface SleepOptions {
  readonly clock: Clock;
  /** How long nothing must have stirred, in milliseconds; absent: it sleeps only when it is told to. */
  readonly afterMs: number | undefined;
  /** Whether nothing is half said, open, frozen or running. */
  readonly isQuiet: () => boolean;
  /** False: it was not possible, and is tried again. */
  readonly fallAsleep: () => boolean;
}

/**
 * Decides when an agent goes to sleep. One timer, and none while something is going on: what ends it stirs, and the time
 * counts from there.
 */
export class Sleep {
  readonly #options: SleepOptions;
  #afterMs: number | undefined;
  #stirredAt = 0n;
  #timer: Timer | undefined;

  constructor(options: SleepOptions) {
    this.#options = options;
    this.#afterMs = options.afterMs;
  }

  /** Something has been asked for, or has come to an end. */
  stir(): void {
    this.#stirredAt = this.#options.clock.monotonic();
    if (this.#timer === undefined && this.#afterMs !== undefined) this.#wait(this.#afterMs, this.#afterMs);
  }

  /** From now on it sleeps as soon as it is quiet. */
  hurry(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#afterMs = 0;
    this.stir();
  }

  /** It is not going to sleep any more. */
  stop(): void {
    this.#timer?.cancel();
  }

  #wait(ms: number, afterMs: number): void {
    this.#timer = this.#options.clock.after(ms, () => this.#look(afterMs));
  }

  #look(afterMs: number): void {
    const { clock, isQuiet, fallAsleep } = this.#options;
    this.#timer = undefined;
    const left = afterMs - Number((clock.monotonic() - this.#stirredAt) / NS_PER_MS);
    if (left > 0) this.#wait(left, afterMs);
    else if (isQuiet() && !fallAsleep()) this.#wait(Math.max(retryMs, afterMs), afterMs);
  }
}
