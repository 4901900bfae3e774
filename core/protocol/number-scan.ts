// SPDX-License-Identifier: Apache-2.0
/** Where in a number the scan is; the names say what was read last. */
const MINUS = 0;
const ZERO = 1;
const INTEGER = 2;
const POINT = 3;
const FRACTION = 4;
const LETTER_E = 5;
const EXPONENT_SIGN = 6;
const EXPONENT = 7;
/** A digit behind a leading zero: the scan has stopped at it for good. */
const MISPLACED = 8;

/** State after `byte`, or -1 if the byte does not continue the number. (`MISPLACED` does not continue it either, and spoils it.) */
function after(state: number, byte: number): number {
  const digit = byte >= 0x30 && byte <= 0x39;
  switch (state) {
    case MINUS:
      return digit ? (byte === 0x30 ? ZERO : INTEGER) : -1;
    case ZERO:
      // No exponent may follow a lone zero: qemu-ga reads `0e1` as `0` and the word `e`, but `01` as one stray token.
      if (digit) return MISPLACED;
      return byte === 0x2e ? POINT : -1;
    case INTEGER:
      if (digit) return INTEGER;
      if (byte === 0x2e) return POINT;
      return (byte | 0x20) === 0x65 ? LETTER_E : -1;
    case POINT:
      return digit ? FRACTION : -1;
    case FRACTION:
      if (digit) return FRACTION;
      return (byte | 0x20) === 0x65 ? LETTER_E : -1;
    case LETTER_E:
      if (digit) return EXPONENT;
      return byte === 0x2b || byte === 0x2d ? EXPONENT_SIGN : -1;
    default:
      return digit ? EXPONENT : -1;
  }
}

/** Finds the end of a number token, over as many chunks as it takes. */
export class NumberScan {
  #state = MINUS;

  begin(byte: number): void {
    this.#state = byte === 0x2d ? MINUS : byte === 0x30 ? ZERO : INTEGER;
  }

  /** What was read so far is a number; otherwise the byte at which the scan stopped is a lexical error. */
  get complete(): boolean {
    return this.#state === ZERO || this.#state === INTEGER || this.#state === FRACTION || this.#state === EXPONENT;
  }

  /** Neither fraction nor exponent. */
  get integer(): boolean {
    return this.#state === ZERO || this.#state === INTEGER;
  }

  /** Index in `[from, to]` of the first byte that does not continue the number, or `to`. */
  run(chunk: Buffer, from: number, to: number): number {
    let state = this.#state;
    let i = from;
    for (; i < to; i += 1) {
      const byte = chunk[i] as number;
      const next = after(state, byte);
      if (next < 0) break;
      state = next;
      if (next === MISPLACED) break;
    }
    this.#state = state;
    return i;
  }
}

const INT64_MIN = -(2n ** 63n);
const UINT64_MAX = 2n ** 64n - 1n;

/** Longest integer text that can fit 64 bits: `-9223372036854775808` and `18446744073709551615`. */
const LONGEST = 20;

/** Integers that fit int64 or uint64 are exact; every other number is a double, as strtod(3) reads it. */
export function numberValue(text: string, integer: boolean): bigint | number {
  if (integer && text.length <= LONGEST) {
    const value = BigInt(text);
    if (value >= INT64_MIN && value <= UINT64_MAX) return value;
  }
  return Number(text);
}

/** Bytes of an integer that `smallInteger` can read: a double holds fifteen digits exactly. */
export const SMALL_INTEGER = 15;

/** The integer in `chunk[from, end)`, without the detour over text. */
export function smallInteger(chunk: Buffer, from: number, end: number): bigint {
  const negative = chunk[from] === 0x2d;
  let value = 0;
  for (let i = negative ? from + 1 : from; i < end; i += 1) value = value * 10 + (chunk[i] as number) - 0x30;
  return BigInt(negative ? -value : value);
}
