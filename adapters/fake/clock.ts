// SPDX-License-Identifier: Apache-2.0
import { setImmediate } from 'node:timers';

import { AgentError } from '../../core/errors/agent-error.ts';
import { posixError } from '../../core/errors/posix-errno.ts';
import type { Clock, ReferenceClock, Timer } from '../../core/ports/index.ts';

const nsPerMs = 1_000_000n;

interface Pending {
  readonly dueNs: bigint;
  readonly callback: () => void;
}

export interface FakeClockOptions {
  /** Wall clock at the start, nanoseconds since 1970-01-01 UTC. */
  readonly startTime: bigint;
  /** Real time instead of time by hand: for a fake guest that runs as a program. */
  readonly realTime: boolean;
  readonly hardwareClock: 'present' | 'absent';
  /** The hypervisor's, to the nanosecond. */
  readonly hypervisorClock?: 'present' | 'absent';
  /** `EPERM` for setting, as for an agent that is not root. */
  readonly maySet: boolean;
}

/**
 * Time that stands still until `advance`. Timers fire in the order in which they are due, each at its own time, and
 * what hangs on one (promises, programs of the fake) has run before the next fires.
 */
export class FakeClock implements Clock {
  readonly setting: NonNullable<Clock['setting']>;
  readonly references: NonNullable<Clock['references']>;
  readonly #pending = new Set<Pending>();
  readonly #realTime: boolean;
  readonly #realStart = process.hrtime.bigint();
  #elapsed = 0n;
  #wallAtZero: bigint;
  #hardwareAtZero: bigint | undefined;
  #hypervisorAtZero: bigint | undefined;

  constructor(options: FakeClockOptions) {
    this.#realTime = options.realTime;
    this.#wallAtZero = options.startTime;
    this.#hardwareAtZero = options.hardwareClock === 'present' ? options.startTime : undefined;
    this.#hypervisorAtZero = options.hypervisorClock === 'present' ? options.startTime : undefined;
    const noHardware = 'the hardware clock cannot be reached: No such file or directory';
    this.setting = {
      set: async (time) => {
        if (!options.maySet) throw posixError('EPERM', { syscall: 'clock_settime' });
        if (time < 0n) throw posixError('EINVAL', { syscall: 'clock_settime' });
        this.#wallAtZero = time - this.monotonic();
        if (this.#hardwareAtZero !== undefined) this.#hardwareAtZero = this.#wallAtZero;
      },
      setFromHardware: async () => {
        if (this.#hardwareAtZero === undefined) throw AgentError.failed(noHardware);
        if (!options.maySet) throw AgentError.failed('the hardware clock cannot be read: Permission denied');
        this.#wallAtZero = this.#hardwareAtZero;
      },
    };
    this.references = {
      list: async () => [
        ...(this.#hypervisorAtZero === undefined ? [] : [this.#referenceClock('/dev/ptp0', 1n, () => this.#hypervisorAtZero)]),
        ...(this.#hardwareAtZero === undefined ? [] : [this.#referenceClock('/dev/rtc0', 1_000_000_000n, () => this.#hardwareAtZero)]),
      ],
      step: async (by) => {
        if (!options.maySet) throw posixError('EPERM', { syscall: 'clock_settime' });
        this.#wallAtZero += by;
      },
    };
  }

  /** One that counts in `resolution`; read exactly, it tells when the next one begins, and no time passes until then. */
  #referenceClock(name: string, resolution: bigint, atZero: () => bigint | undefined): ReferenceClock {
    return {
      name,
      read: async (how) => {
        const monotonic = this.monotonic();
        const time = (atZero() ?? 0n) + monotonic;
        return how === 'exactly'
          ? { time, monotonic, within: 0n }
          : { time: time - (time % resolution), monotonic, within: resolution - 1n };
      },
      ...(resolution === 1n ? { glance: () => ({ time: (atZero() ?? 0n) + this.monotonic(), monotonic: this.monotonic(), within: 0n }) } : {}),
    };
  }

  /** The guest is not run for so many milliseconds: what its hypervisor keeps goes on, and nothing in the guest. */
  standStill(ms: number): void {
    const by = BigInt(Math.round(ms * 1e6));
    if (this.#hardwareAtZero !== undefined) this.#hardwareAtZero += by;
    if (this.#hypervisorAtZero !== undefined) this.#hypervisorAtZero += by;
  }

  /** Puts the hypervisor's clock elsewhere. */
  setHypervisor(time: bigint): void {
    this.#hypervisorAtZero = time - this.monotonic();
  }

  now(): bigint {
    return this.#wallAtZero + this.monotonic();
  }

  monotonic(): bigint {
    return this.#realTime ? process.hrtime.bigint() - this.#realStart : this.#elapsed;
  }

  /** The hardware clock, nanoseconds since 1970; `undefined` where the machine has none. */
  hardware(): bigint | undefined {
    return this.#hardwareAtZero === undefined ? undefined : this.#hardwareAtZero + this.monotonic();
  }

  /** Puts the hardware clock elsewhere than the wall clock: a guest that comes out of a snapshot. */
  setHardware(time: bigint): void {
    this.#hardwareAtZero = time - this.monotonic();
  }

  /** Moves the wall clock by so many milliseconds, back where negative; timers and the monotonic clock go on. */
  jump(ms: number): void {
    this.#wallAtZero += BigInt(Math.round(ms * 1e6));
  }

  after(ms: number, callback: () => void): Timer {
    if (this.#realTime) {
      const timeout = setTimeout(callback, ms).unref();
      return { cancel: () => clearTimeout(timeout) };
    }
    const pending = { dueNs: this.#elapsed + BigInt(Math.max(0, Math.ceil(ms * 1e6))), callback };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  /** Resolves after `ms` of this clock's time. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** Timers that wait. A test of "no idle wakeups" expects 0. */
  get waitingTimers(): number {
    return this.#pending.size;
  }

  /**
   * Lets `ms` milliseconds pass. Everything that was already on its way is done before the first timer fires, and
   * everything that the timers caused has been done when the promise resolves.
   */
  async advance(ms: number): Promise<void> {
    if (this.#realTime) throw new Error('this fake machine runs in real time: its clock cannot be advanced by hand');
    await settled();
    const until = this.#elapsed + BigInt(Math.round(ms * 1e6));
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#pending.delete(next);
      if (next.dueNs > this.#elapsed) this.#elapsed = next.dueNs;
      next.callback();
      // oxlint-disable-next-line no-await-in-loop -- a later timer may be cancelled by what this one caused
      await settled();
    }
    this.#elapsed = until;
  }

  #next(until: bigint): Pending | undefined {
    let first: Pending | undefined;
    for (const pending of this.#pending) {
      if (pending.dueNs <= until && (first === undefined || pending.dueNs < first.dueNs)) first = pending;
    }
    return first;
  }
}

/** How often the event loop goes round before the fake counts as quiet: chains of programs and ports are short. */
const rounds = 3;

/** Resolves when promises that could go on have gone on. */
export async function settled(): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    // oxlint-disable-next-line no-await-in-loop -- one turn of the loop after the other is the point
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export const milliseconds = (ns: bigint): number => Number(ns / nsPerMs);
