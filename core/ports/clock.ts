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
}

export interface Timer {
  cancel(): void;
}
