// SPDX-License-Identifier: Apache-2.0
/** Bytes looked at one by one before the machinery for long runs is worth its start. */
const SHORT = 48;

const BACKSLASH = 0x5c;

/** Bytes that may need a closer look: control bytes, both quotes, the backslash, everything above 0x7F. */
const closer = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte < 0x20 || byte >= 0x80 || byte === 0x22 || byte === 0x27 || byte === BACKSLASH ? 1 : 0,
);

/**
 * Index of the first byte in `[from, to)` that is no plain ASCII text (a control byte, a backslash or above 0x7F),
 * or one up to fifteen bytes before it, or `to`. Looks at four bytes per word, four words per turn.
 */
function plainUntil(chunk: Buffer, from: number, to: number): number {
  const misaligned = (chunk.byteOffset + from) & 3;
  const start = misaligned === 0 ? from : from + 4 - misaligned;
  for (let i = from; i < start && i < to; i += 1) {
    const byte = chunk[i] as number;
    if (byte < 0x20 || byte >= 0x80 || byte === BACKSLASH) return i;
  }
  if (start >= to) return to;

  const words = new Int32Array(chunk.buffer, chunk.byteOffset + start, (to - start) >> 2);
  const last = words.length - 3;
  let i = 0;
  for (; i < last; i += 4) {
    const a = words[i] as number;
    const b = words[i + 1] as number;
    const c = words[i + 2] as number;
    const d = words[i + 3] as number;
    // A byte below 0x20 borrows and so sets its top bit; a backslash becomes zero and borrows likewise.
    const tops =
      (a - 0x20202020) | ((a ^ 0x5c5c5c5c) - 0x01010101) | a |
      (b - 0x20202020) | ((b ^ 0x5c5c5c5c) - 0x01010101) | b |
      (c - 0x20202020) | ((c ^ 0x5c5c5c5c) - 0x01010101) | c |
      (d - 0x20202020) | ((d ^ 0x5c5c5c5c) - 0x01010101) | d;
    if ((tops & 0x80808080) !== 0) break;
  }
  return start + i * 4;
}

/** Finds the end of a string token, over as many chunks as it takes. */
export class StringScan {
  /** The byte that opened the string and will close it. */
  quote = 0;
  /** The last byte was a backslash: the next one belongs to it. */
  escaped = false;
  /** What the last `run` went over has an escape or a byte above 0x7F: it is not its own meaning. */
  special = false;

  begin(quote: number): void {
    this.quote = quote;
    this.escaped = false;
    this.special = false;
  }

  /**
   * Index in `[from, to]` at which the scan stopped: at the closing quote, at a byte that no string may hold
   * (0x00 to 0x1F, 0xFE, 0xFF), or at `to`.
   */
  run(chunk: Buffer, from: number, to: number): number {
    const quote = this.quote;
    let i = from;
    this.special = false;
    if (!this.escaped) {
      const short = to - from > SHORT ? from + SHORT : to;
      for (; i < short; i += 1) {
        const byte = chunk[i] as number;
        if (byte === quote) return i;
        if (byte < 0x20 || byte >= 0x80 || byte === BACKSLASH) return this.#slow(chunk, i, to);
      }
      if (i === to) return to;
      const found = chunk.indexOf(quote, i);
      const end = found < 0 || found > to ? to : found;
      i = plainUntil(chunk, i, end);
    }
    return this.#slow(chunk, i, to);
  }

  #slow(chunk: Buffer, from: number, to: number): number {
    const quote = this.quote;
    let escaped = this.escaped;
    let special = false;
    let i = from;
    for (; i < to; i += 1) {
      const byte = chunk[i] as number;
      if (!escaped && closer[byte] === 0) continue;
      if (byte < 0x20 || byte >= 0xfe) break;
      if (escaped) escaped = false;
      else if (byte === quote) break;
      else if (byte === BACKSLASH) {
        escaped = true;
        special = true;
      } else if (byte >= 0x80) special = true;
    }
    this.escaped = escaped;
    this.special = special;
    return i;
  }
}
