// SPDX-License-Identifier: Apache-2.0
import type { Timer } from '../ports/clock.ts';
import type { FrozenTarget } from '../ports/freezing.ts';
import type { HookRound } from './hooks.ts';
import type { BegunFreeze } from './session.ts';

/** Where a freeze is, with what there is in that state and in no other. The head of `controller.ts` has the rules. */
export type FreezeState = (Thawed | Freezing | Frozen | Thawing) & {
  /** What is frozen still, for all that is known, after an earlier thaw that failed. */
  readonly remains: readonly FrozenTarget[];
};

export interface Thawed {
  readonly phase: 'thawed';
}

/** From the first hook to the last FIFREEZE. */
export interface Freezing {
  readonly phase: 'freezing';
  /** `undefined` until there is a session, and again once it has been undone. */
  readonly begun: BegunFreeze | undefined;
}

export interface Frozen {
  readonly phase: 'frozen';
  readonly held: HeldFreeze;
}

/** From the first FITHAW to the last hook. */
export interface Thawing {
  readonly phase: 'thawing';
  /** `undefined` for a thaw without a freeze, and once all of the freeze is thawed and only hooks are left to run. */
  readonly held: HeldFreeze | undefined;
  /** Whether this is the end of a freeze: then other commands wait for it, for a disk may be frozen still. */
  readonly endsFreeze: boolean;
}

/** A freeze that is on. */
export interface HeldFreeze extends BegunFreeze {
  readonly hooks: HookRound;
  /** On `Clock.monotonic`; `undefined` without a deadline of ours. */
  readonly deadline: bigint | undefined;
  readonly overdue: Timer | undefined;
}
