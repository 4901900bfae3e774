// SPDX-License-Identifier: Apache-2.0
export type HookPhase = 'freeze' | 'freezefail' | 'thaw';

/** Programs of the administrator that run around a freeze. */
export interface Hooks {
  /**
   * The hooks for a freeze that begins now, in the order of freezing. Ones that must not run (writable by others, not
   * executable) carry `refused`, the reason. Read once per freeze: a thaw runs exactly what this answered.
   */
  list(): Promise<readonly Hook[]>;
}

export interface Hook {
  /** For reports: the path. */
  readonly name: string;
  readonly refused?: string;
  /**
   * A hook whose refusal or failure vetoes the freeze. All are but those that the administrator marked otherwise.
   */
  readonly canVeto: boolean;
  /** Runs to the end or to the hook's time limit, then kills it with all that it has started. Never rejects. */
  run(phase: HookPhase): Promise<HookOutcome>;
}

export interface HookOutcome {
  readonly ok: boolean;
  /** The whole sentence for `desc`: `child process has failed to execute fsfreeze hook: OUTPUT`. */
  readonly error?: string;
  /** What it printed, cut at the limit. */
  readonly output: string;
  readonly durationNs: bigint;
}
