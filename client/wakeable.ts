// SPDX-License-Identifier: Apache-2.0
/** Somebody who waits until something has changed. */
export class Wakeable {
  readonly #waiting = new Set<() => void>();

  /** @param atMostMs for ever without */
  wait(atMostMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const settle = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        resolve();
      };
      const timer = atMostMs === undefined ? undefined : setTimeout(settle, atMostMs);
      this.#waiting.add(settle);
    });
  }

  wake(): void {
    for (const one of this.#waiting) one();
  }
}
