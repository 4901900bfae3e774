// SPDX-License-Identifier: Apache-2.0
import type { StartedGuardian } from './guardian.ts';

/** How long one waits for the next freeze, in milliseconds: as long as the list of mounts is kept. */
const keptMs = 60_000;

/**
 * The guardian of the last freeze, ready for the next: with its threads, its locked memory and its watch, and nothing open. It
 * sleeps, is listed as `concierge-spare`, and ends with the agent or after a while.
 */
export class SpareGuardian {
  #kept: { readonly guardian: StartedGuardian; readonly timer: NodeJS.Timeout } | undefined;

  get isThere(): boolean {
    return this.#kept?.guardian.link.isOpen === true;
  }

  /** One whose freeze is over, and which holds nothing frozen. */
  keep(guardian: StartedGuardian): void {
    this.#letGo();
    guardian.link.send('again\n');
    this.#kept = { guardian, timer: setTimeout(() => this.#letGo(), keptMs).unref() };
  }

  /** For the next freeze; `undefined` where there is none. */
  take(): StartedGuardian | undefined {
    const kept = this.#kept;
    if (kept === undefined) return undefined;
    clearTimeout(kept.timer);
    this.#kept = undefined;
    if (!kept.guardian.link.isOpen) return undefined;
    // One that somebody has stopped would not hear of it.
    kept.guardian.signal('SIGCONT');
    return kept.guardian;
  }

  #letGo(): void {
    this.take()?.link.close();
  }
}
