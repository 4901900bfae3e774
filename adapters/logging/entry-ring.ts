// SPDX-License-Identifier: Apache-2.0
import type { Entry } from './line.ts';

/** How much may wait while nothing can be written. */
export const ringLimits = { entries: 1024, characters: 256 * 1024 };

/** The last things said, in order, within limits; what had to make room is counted. */
export class EntryRing {
  readonly #limits: typeof ringLimits;
  #entries: Entry[] = [];
  #first = 0;
  #characters = 0;
  #dropped = 0;

  constructor(limits = ringLimits) {
    this.#limits = limits;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
    this.#characters += entry.text.length;
    while (this.#entries.length - this.#first > this.#limits.entries || this.#characters > this.#limits.characters) this.#dropFirst();
    if (this.#first > this.#limits.entries) this.#compact();
  }

  /** Takes everything out. */
  drain(): { readonly entries: readonly Entry[]; readonly dropped: number } {
    this.#compact();
    const drained = { entries: this.#entries, dropped: this.#dropped };
    this.#entries = [];
    this.#characters = 0;
    this.#dropped = 0;
    return drained;
  }

  #dropFirst(): void {
    this.#characters -= this.#entries[this.#first]?.text.length ?? 0;
    this.#first += 1;
    this.#dropped += 1;
  }

  #compact(): void {
    this.#entries = this.#entries.slice(this.#first);
    this.#first = 0;
  }
}
