// SPDX-License-Identifier: Apache-2.0
/** Time. The only source of it in the core, so that the fake can run it by hand. */
export interface Clock {
  /** Wall clock, nanoseconds since 1970-01-01 UTC. Never blocks. */
  now(): bigint;
  /** Nanoseconds that only go forward, asleep or not, from an arbitrary start. */
  monotonic(): bigint;
  /** Calls back once after `ms` milliseconds. Does not keep the process alive. */
  after(ms: number, callback: () => void): Timer;
  readonly setting?: {
    /**
     * Sets the wall clock and then the hardware clock from it, where there is one.
     * @throws os error of the wall clock (`EPERM`, `EINVAL`), or failed error when only the hardware clock refused
     */
    set(time: bigint): Promise<void>;
    /** Sets the wall clock from the hardware clock. @throws failed error: no hardware clock, not permitted */
    setFromHardware(): Promise<void>;
  };
  /** Clocks that go on while this guest stands still: those of its hypervisor. */
  readonly references?: {
    /** The best first. Reads none. */
    list(): Promise<readonly ReferenceClock[]>;
    /** Moves the wall clock by so many nanoseconds, and no other clock. @throws os error (`EPERM`) */
    step(by: bigint): Promise<void>;
  };
}

export interface ReferenceClock {
  /** For reports: `/dev/ptp0 (KVM virtual PTP)`. */
  readonly name: string;
  /**
   * Reads it: at once, or as exactly as it can be read, which may take a second where it counts in seconds.
   * @throws failed or os error
   */
  read(how: 'at once' | 'exactly'): Promise<ReferenceReading>;
  /**
   * Reads it without waiting, in a few microseconds: what can be asked before requests are answered. It holds what it needs for that
   * from the first call on. Absent: reading it takes longer.
   *
   * @throws os error
   */
  glance?(): ReferenceReading;
}

export interface ReferenceReading {
  /** Nanoseconds since 1970-01-01 UTC. */
  readonly time: bigint;
  /** What the monotonic clock said at that moment. */
  readonly monotonic: bigint;
  /** By how much it may be more than that, in nanoseconds: a clock that counts in seconds was read somewhere in one. */
  readonly within: bigint;
}

export interface Timer {
  cancel(): void;
}
