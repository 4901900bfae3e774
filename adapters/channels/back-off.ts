// SPDX-License-Identifier: Apache-2.0
/** Waiting times that grow from short to long while nothing succeeds, in milliseconds. */
export class BackOff {
  readonly #first: number;
  readonly #longest: number;
  #next: number;

  constructor(first = 100, longest = 5000) {
    this.#first = first;
    this.#longest = longest;
    this.#next = first;
  }

  next(): number {
    const delay = this.#next;
    this.#next = Math.min(delay * 2, this.#longest);
    return delay;
  }

  reset(): void {
    this.#next = this.#first;
  }
}
