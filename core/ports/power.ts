// SPDX-License-Identifier: Apache-2.0
export type ShutdownMode = 'powerdown' | 'halt' | 'reboot';
export type SuspendMode = 'disk' | 'ram' | 'hybrid';

/** Turning the guest off and putting it to sleep. */
export interface Power {
  readonly shutdown?: {
    /**
     * Starts an orderly shutdown and resolves once the system has taken the order; the agent is stopped by it like any
     * other service. @throws failed error with the system's reason
     */
    shutdown(mode: ShutdownMode): Promise<void>;
  };
  /** Modes that this operating system knows at all; whether this machine can is found out by asking. */
  readonly suspend?: {
    readonly modes: ReadonlySet<SuspendMode>;
    /**
     * Suspends. Resolves when the system has taken the order (it may be after the resume).
     * @throws failed error; `the requested suspend mode is not supported by the guest` where it cannot
     */
    suspend(mode: SuspendMode): Promise<void>;
  };
}
