// SPDX-License-Identifier: Apache-2.0
import type { FreezeTarget } from './freezing.ts';

/** Looks at what a system has to have for the agent to do its work; for `doctor`, before something goes wrong. */
export interface Diagnosis {
  /**
   * Looks at everything, changes nothing and holds nothing up: every look has a limit of its own. What cannot be looked at is
   * a finding too. Never rejects.
   */
  examine(): Promise<readonly Finding[]>;
  /**
   * What can be tried on this very system and leaves nothing behind, for `doctor --self-test`.
   *
   * @param freezeAndThaw freezes over the code of the agent, and tells how long each step took
   */
  trials?(freezeAndThaw: (targets: readonly FreezeTarget[]) => Promise<TrialOutcome>): readonly Trial[];
}

/** One thing that is tried. */
export interface Trial {
  readonly subject: string;
  /** A rejection is a failure. */
  run(): Promise<TrialOutcome>;
}

export interface TrialOutcome {
  /** `not here`: this system has nothing that could be tried, and `detail` says what is missing. */
  readonly result: 'passed' | 'failed' | 'not here';
  readonly detail: string;
  /** How long each step took, in milliseconds. */
  readonly times?: Readonly<Record<string, number>>;
}

/** One thing that was looked at. */
export interface Finding {
  /** What was looked at, in a few words of the field: `virtio port`, `VSS provider`. */
  readonly subject: string;
  /**
   * `good`: as it should be. `warning`: the agent works, and something does not, or not as well as it could. `bad`: what the agent
   * is there for will fail. `by-hand`: only a person can see it; `remedy` says how, and what is to be expected.
   */
  readonly verdict: 'good' | 'warning' | 'bad' | 'by-hand';
  /** What was found; one sentence without a full stop. */
  readonly detail: string;
  /** What to do about it. */
  readonly remedy?: string;
}
