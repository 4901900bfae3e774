// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../ports/clock.ts';
import type { Freezing } from '../ports/freezing.ts';
import type { Hooks } from '../ports/hooks.ts';
import type { Log } from '../ports/log.ts';
import type { StateStore } from '../ports/state-store.ts';

export interface FreezeSettings {
  /** How long a freeze lasts without a thaw, in milliseconds from the first file system; 0: for ever. */
  readonly deadlineMs: number;
  /** How long the freezing itself may take, in milliseconds; 0: for ever. */
  readonly withinMs: number;
  /** Mount points that are never frozen. */
  readonly excluded: readonly string[];
  /** What a name in a list that is no mount point leads to; `ignore` is what qemu-ga 11.1 does. */
  readonly unknownMountPoints: 'error' | 'ignore';
}

/** The ports and settings that a freeze works with. */
export interface FreezeContext {
  readonly freezing: Freezing;
  readonly hooks: Hooks | undefined;
  readonly stateStore: StateStore;
  readonly log: Log;
  readonly clock: Clock;
  readonly settings: FreezeSettings;
}

export const nanoseconds = (ms: number): bigint => BigInt(Math.ceil(ms)) * 1_000_000n;
