// SPDX-License-Identifier: Apache-2.0
import { setTimeout as pause } from 'node:timers/promises';

import { unlessAborted } from './call-limit.ts';

const LONGEST = 500;

/** There is no notification in this protocol: ask soon at first, then less and less often. */
export class GrowingPause {
  readonly #signal: AbortSignal | undefined;
  #next = 1;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  /** The next wait is a short one again. */
  restart(): void {
    this.#next = 1;
  }

  /** @throws ClientError `aborted` */
  async wait(atMostMs = LONGEST): Promise<void> {
    const pausing = pause(Math.min(this.#next, atMostMs));
    this.#next = Math.min(this.#next * 2, LONGEST);
    await (this.#signal === undefined ? pausing : unlessAborted(pausing, this.#signal));
  }
}
