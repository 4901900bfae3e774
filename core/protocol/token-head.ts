// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import { protocolLimits } from './limits.ts';
import { lenientText } from './modified-utf8.ts';

/** Stands for what was left out of an echoed token. */
const MARK_OF_CUT = '...';

/** One byte more than is ever shown: it tells whether the cut would fall into a UTF-8 sequence. */
const HELD = protocolLimits.echo + 1;

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
   * The `desc` for a byte that cannot start or continue the token: the last of the token's bytes `chunk[from, to)`. (qemu-ga
   * shows the whole token, which may be 64 MiB.) `place`: where the token begins.
   */
  strayError(place: string, chunk: Buffer, from: number, to: number): string {
    const held = this.keep(chunk, from, to);
    let end = Math.min(this.#bytes, protocolLimits.echo);
    const cut = end < this.#bytes;
    if (cut) while (end > 0 && ((held[end] as number) & 0xc0) === 0x80) end -= 1;
    return `${place}: JSON parse error, stray '${lenientText(held.subarray(0, end))}${cut ? MARK_OF_CUT : ''}'`;
  }
}
