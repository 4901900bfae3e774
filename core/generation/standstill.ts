// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../ports/clock.ts';
import { bounded } from './bounded.ts';

const NS_PER_MS = 1_000_000n;

/** Two clocks against the monotonic one, at one moment. */
export interface ClockDistances {
  readonly source: string;
  /** How far the source is ahead of the monotonic clock. */
  readonly reference: bigint;
  /** How far the wall clock is. */
  readonly wall: bigint;
  readonly within: bigint;
}

/**
 * Whether the guest has stood still since the last look: the hypervisor's clock has gone on, and in the guest no clock has. A wall
 * clock that merely differs from it is no standstill, and neither is one that somebody in the guest has set: that would be to
 * undo it.
 */
export class Standstill {
  readonly #clock: Clock;
  readonly #limit: bigint;
  #last: ClockDistances | undefined;

  constructor(clock: Clock, limitMs: number) {
    this.#clock = clock;
    this.#limit = BigInt(limitMs) * NS_PER_MS;
  }

  /** Of the last look, for another agent to go on from. */
  get last(): ClockDistances | undefined {
    return this.#last;
  }

  inherit(last: ClockDistances | undefined): void {
    this.#last = last;
  }

  /** Looks for the first time, or anew after the clock was set. Never rejects. */
  async remember(): Promise<void> {
    this.#last = await this.#look();
  }

  /** Never rejects: what cannot be told is no standstill. */
  async hasBeen(): Promise<boolean> {
    const before = this.#last;
    const now = await this.#look();
    if (now === undefined) return false;
    this.#last = now;
    if (before?.source !== now.source) return false;
    const gained = now.reference - before.reference;
    const set = now.wall - before.wall;
    return gained > this.#limit + now.within && set <= this.#limit && set >= -this.#limit;
  }

  async #look(): Promise<ClockDistances | undefined> {
    const clock = this.#clock;
    try {
      const [best] = (await clock.references?.list()) ?? [];
      if (best === undefined) return undefined;
      const { time, monotonic, within } = await bounded(clock, () => best.read('at once'));
      return { source: best.name, reference: time - monotonic, wall: clock.now() - clock.monotonic(), within };
    } catch {
      return undefined;
    }
  }
}
