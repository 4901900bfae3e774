// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import type { Readable } from 'node:stream';

interface RawReadable extends Readable {
  setRawMode?: (isRaw: boolean) => unknown;
  readonly fd?: number;
}

/** Every key as the byte that it is, until it is disposed; also when this process ends otherwise. */
export class RawTerminal implements Disposable {
  readonly #stdin: RawReadable;
  readonly #restore = (): void => void this.#stdin.setRawMode?.(false);

  constructor(stdin: Readable) {
    this.#stdin = stdin;
    process.once('exit', this.#restore);
    this.#stdin.setRawMode?.(true);
    // Node's raw mode leaves output processing on: a line feed that a program means as "down" would go to the left as well. What
    // Node restores is the whole of it.
    if (this.#stdin.fd !== undefined) spawnSync('stty', ['-opost'], { stdio: [this.#stdin.fd, 'ignore', 'ignore'] });
  }

  [Symbol.dispose](): void {
    process.off('exit', this.#restore);
    this.#restore();
  }
}

const ENTER = new Set([0x0a, 0x0d]);
const TILDE = 0x7e;
const DOT = 0x2e;

/** Finds `Enter ~ .` in what is typed, as ssh has it: the way out where the guest says nothing any more. */
export class WayOut {
  #state: 'line' | 'tilde' | 'text' = 'line';

  /** What is to be passed on, and whether it was typed. A tilde is held back until it is known what follows. */
  take(keys: Uint8Array): { readonly keys: Uint8Array; readonly isOut: boolean } {
    const passed: number[] = [];
    for (const key of keys) {
      if (this.#state === 'tilde') {
        if (key === DOT) return { keys: Uint8Array.from(passed), isOut: true };
        passed.push(TILDE);
        // A second one stands for itself.
        this.#state = 'text';
        if (key === TILDE) continue;
      } else if (this.#state === 'line' && key === TILDE) {
        this.#state = 'tilde';
        continue;
      }
      passed.push(key);
      this.#state = ENTER.has(key) ? 'line' : 'text';
    }
    return { keys: Uint8Array.from(passed), isOut: false };
  }
}
