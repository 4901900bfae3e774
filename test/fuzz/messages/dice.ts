// SPDX-License-Identifier: Apache-2.0
/** A seeded dice (xorshift32): the same seed, the same throws. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed ^ 0x9e37_79b9) | 1;
  }

  /** From 0 up to and without `sides`. */
  throw(sides: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % sides;
  }

  /** Once in so many throws. */
  once(inThrows: number): boolean {
    return this.throw(inThrows) === 0;
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.throw(choices.length)] as T;
  }
}
