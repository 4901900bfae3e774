// SPDX-License-Identifier: Apache-2.0
import type { Writable } from 'node:stream';

import { harmless } from '../../core/errors/harmless-text.ts';
import { bytesText } from './table.ts';

/** How often the line is drawn anew, in milliseconds. */
const drawEveryMs = 100;

/** One line that tells how far a copy is, for somebody who watches. */
export class Progress {
  readonly #out: Writable;
  readonly #name: string;
  readonly #size: number | undefined;
  readonly #start = performance.now();
  #bytes = 0;
  #drawn = 0;

  constructor(out: Writable, name: string, size: number | undefined) {
    this.#out = out;
    this.#name = harmless(name);
    this.#size = size;
  }

  moved(bytes: number): void {
    this.#bytes += bytes;
    const now = performance.now();
    if (now - this.#drawn < drawEveryMs) return;
    this.#drawn = now;
    this.#draw();
  }

  done(): void {
    this.#draw();
    this.#out.write('\n');
  }

  #draw(): void {
    const seconds = (performance.now() - this.#start) / 1000;
    const part = this.#size === undefined || this.#size === 0 ? '' : ` ${Math.min(100, Math.floor((this.#bytes * 100) / this.#size))} %`;
    this.#out.write(`\r\u001b[K${this.#name}${part} ${bytesText(this.#bytes)} ${bytesText(Math.round(this.#bytes / Math.max(seconds, 0.001)))}/s`);
  }
}
