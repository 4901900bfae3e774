import type { Clock, Timer } from './ports/index.ts';

const NS_PER_MS = 1_000_000n;

export interface SleepOptions {
  readonly clock: Clock;
  /** How long nothing must have stirred, in milliseconds. */
  readonly afterMs: number;
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
  #stirredAt = 0n;
  #timer: Timer | undefined;

  constructor(options: SleepOptions) {
    this.#options = options;
  }

  /** Something has been asked for, or has come to an end. */
  stir(): void {
    this.#stirredAt = this.#options.clock.monotonic();
    if (this.#timer === undefined) this.#wait(this.#options.afterMs);
  }

  /** It is not going to sleep any more. */
  stop(): void {
    this.#timer?.cancel();
  }

  #wait(ms: number): void {
    this.#timer = this.#options.clock.after(ms, () => this.#look());
  }

  #look(): void {
    const { clock, afterMs, isQuiet, fallAsleep } = this.#options;
    this.#timer = undefined;
    const left = afterMs - Number((clock.monotonic() - this.#stirredAt) / NS_PER_MS);
    if (left > 0) this.#wait(left);
    else if (isQuiet() && !fallAsleep()) this.#wait(afterMs);
  }
}
