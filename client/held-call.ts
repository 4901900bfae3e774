// SPDX-License-Identifier: Apache-2.0
/** A call whose answer the agent holds back until there is news: it can be asked to answer now. */
export class HeldCall {
  /** How long the agent may hold it back; the call's own time limit is longer by that. */
  readonly waitMs: number;
  #isHurried = false;
  #listener: (() => void) | undefined;

  constructor(waitMs: number) {
    this.waitMs = waitMs;
  }

  get isHurried(): boolean {
    return this.#isHurried;
  }

  /** The answer is wanted now, whatever is in it. */
  hurry(): void {
    if (this.#isHurried || this.waitMs === 0) return;
    this.#isHurried = true;
    this.#listener?.();
  }

  /** Called once, at once where it was hurried before. */
  onHurried(listener: (() => void) | undefined): void {
    this.#listener = listener;
    if (this.#isHurried) listener?.();
  }
}
