// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../core/errors/agent-error.ts';
import type { Power, ShutdownMode, SuspendMode } from '../../core/ports/index.ts';
import type { FakeClock } from './clock.ts';

export type PowerEvent = { readonly at: bigint } & (
  | { readonly kind: 'shutdown'; readonly mode: ShutdownMode }
  | { readonly kind: 'suspend'; readonly mode: SuspendMode }
);

/** Records what was ordered; the fake machine itself never goes away. */
export class FakePower {
  /** Orders that were taken, oldest first; `at` is the wall clock in nanoseconds. */
  readonly events: PowerEvent[] = [];
  /** Modes that the operating system knows. */
  readonly modes: ReadonlySet<SuspendMode>;
  /** Modes that this machine can; others are refused when asked for. */
  readonly able: Set<SuspendMode>;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock, modes: readonly SuspendMode[], able: readonly SuspendMode[]) {
    this.#clock = clock;
    this.modes = new Set(modes);
    this.able = new Set(able);
  }

  port(): Required<Power> {
    return {
      shutdown: {
        shutdown: async (mode) => void this.events.push({ kind: 'shutdown', mode, at: this.#clock.now() }),
      },
      suspend: {
        modes: this.modes,
        suspend: async (mode) => {
          if (!this.able.has(mode)) throw AgentError.failed('the requested suspend mode is not supported by the guest');
          this.events.push({ kind: 'suspend', mode, at: this.#clock.now() });
        },
      },
    };
  }
}
