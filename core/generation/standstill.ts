// SPDX-License-Identifier: Apache-2.0
import type { Clock, ReferenceClock, ReferenceReading } from '../ports/clock.ts';
import { bounded } from './bounded.ts';

const NS_PER_MS = 1_000_000n;
/** Requests that come in so quick a succession are not looked at one by one. */
const pause = 10n * NS_PER_MS;
/** The same where a look waits for a device: a hardware clock. */
const longPause = 250n * NS_PER_MS;
/** Longer than any clock takes that works. */
const patience = 1000n * NS_PER_MS;
/** A guest's clock and its host's may run apart: an oscillator by a ten-thousandth, and each is slewed by up to 500 ppm. */
const drift = 1000n;

/** Two clocks against the monotonic one, at one moment. */
export interface ClockDistances {
  readonly source: string;
  /** How far the source is ahead of the monotonic clock. */
  readonly reference: bigint;
  /** How far the wall clock is. */
  readonly wall: bigint;
  readonly within: bigint;
  /** When, by the monotonic clock; absent where an earlier version has left it. */
  readonly at?: bigint;
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
  #best: ReferenceClock | undefined;
  /** Its quick way has failed. */
  #isSlow = false;
  #lookedAt = 0n;

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
    return before?.source === now.source && this.#isBetween(before, now);
  }

  /**
   * Before a request is answered: whether a look at all clocks is due, or how that is found out where it takes longer; `undefined`
   * where nothing was looked at. Costs next to nothing while requests come one after the other, and after a pause, or always where that is
   * asked for, one look at the clock of the last time. Never throws or rejects.
   */
  isSuspected(always: boolean): boolean | (() => Promise<boolean>) | undefined {
    const best = this.#best;
    if (best === undefined) return undefined;
    const now = this.#clock.monotonic();
    const isQuick = best.glance !== undefined && !this.#isSlow;
    if (!always && now - this.#lookedAt < (isQuick ? pause : longPause)) return undefined;
    this.#lookedAt = now;
    try {
      const reading = isQuick ? best.glance?.() : undefined;
      if (reading !== undefined) return this.#differs(best, reading);
    } catch {
      this.#isSlow = true;
    }
    return () => this.#isSuspectedBy(best);
  }

  async #isSuspectedBy(best: ReferenceClock): Promise<boolean> {
    try {
      return this.#differs(best, await this.#read(best));
    } catch {
      return false;
    }
  }

  /** One that hangs is not asked again before a request. */
  async #read(source: ReferenceClock): Promise<ReferenceReading> {
    const began = this.#clock.monotonic();
    try {
      return await bounded(this.#clock, () => source.read('at once'));
    } catch (error) {
      if (this.#clock.monotonic() - began > patience) this.#best = undefined;
      throw error;
    }
  }

  /** Also where the last look told nothing: then the next one is to be the first. Else the next one is compared with this one. */
  #differs(source: ReferenceClock, reading: ReferenceReading): boolean {
    const before = this.#last;
    const now = this.#distances(source, reading);
    if (before?.source !== now.source || this.#isBetween(before, now)) return true;
    this.#last = now;
    return false;
  }

  #isBetween(before: ClockDistances, now: Required<ClockDistances>): boolean {
    const gained = now.reference - before.reference;
    const set = now.wall - before.wall;
    const drifted = (now.at - (before.at ?? now.at)) / drift;
    return gained > this.#limit + now.within + drifted && set <= this.#limit && set >= -this.#limit;
  }

  #distances({ name }: ReferenceClock, { time, monotonic, within }: ReferenceReading): Required<ClockDistances> {
    const clock = this.#clock;
    return { source: name, reference: time - monotonic, wall: clock.now() - clock.monotonic(), within, at: monotonic };
  }

  async #look(): Promise<Required<ClockDistances> | undefined> {
    const clock = this.#clock;
    try {
      const [best] = (await clock.references?.list()) ?? [];
      this.#best = best;
      this.#lookedAt = clock.monotonic();
      if (best === undefined) return undefined;
      const reading = await this.#read(best);
      this.#isSlow = false;
      return this.#distances(best, reading);
    } catch {
      this.#isSlow = true;
      return undefined;
    }
  }
}
