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

  /** Whether its request is out and its answer is waited for, so that what is sent now ends the wait. */
  get isWaiting(): boolean {
    return this.#listener !== undefined && !this.#isHurried && this.waitMs > 0;
  }

  /** Something was sent behind it, which ends the wait: nothing else need be. */
  isFollowed(): void {
    this.#isHurried = true;
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
