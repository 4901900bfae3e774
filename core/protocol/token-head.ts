// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import { protocolLimits } from './limits.ts';
import { lenientText } from './modified-utf8.ts';

const BEFORE = "stray '";

/** Bytes of the token that are ever shown: the whole text, the closing quote included, has at most as many as an error repeats. */
const HELD = protocolLimits.echo - BEFORE.length;

/** The first bytes of an unfinished token, for the error message that shows them. */
export class TokenHead {
  #held: Buffer | undefined;
  #bytes = 0;

  begin(): void {
    this.#bytes = 0;
  }

  keep(chunk: Buffer, from: number, to: number): Buffer {
    const held = (this.#held ??= Buffer.allocUnsafeSlow(HELD));
    if (this.#bytes < HELD) chunk.copy(held, this.#bytes, from, Math.min(to, from + HELD));
    this.#bytes += to - from;
    return held;
  }

  /**
   * The `desc` for a byte that cannot start or continue the token: the last of the token's bytes `chunk[from, to)`. A long token is
   * cut, its closing quote with it, as in qemu-ga 11.1. `place`: where the token begins.
   */
  strayError(place: string, chunk: Buffer, from: number, to: number): string {
    const held = this.keep(chunk, from, to);
    const shown = lenientText(held.subarray(0, Math.min(this.#bytes, HELD)));
    return `${place}: JSON parse error, ${BEFORE}${shown}${this.#bytes < HELD ? "'" : ''}`;
  }
}
