// SPDX-License-Identifier: Apache-2.0
import { isNoncharacter, lenientText, readUtf8Sequence, type Utf8Sequence } from './modified-utf8.ts';

/** What `unescape` made of a stretch of string text. */
export interface Unescaped {
  readonly text: string;
  /** Bytes taken; the rest is the start of a sequence that the next stretch completes. */
  readonly taken: number;
  /** The text of the parse error, if there is one. */
  readonly error: string | undefined;
}

const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

/** Escapes of one letter, each followed by what it means. */
const simpleEscapes = `""''\\\\//b\bf\fn\nr\rt\t`;

/** Index: the letter; value: the byte meant, 0 = no such escape. */
const simple = new Uint8Array(256);
for (let i = 0; i < simpleEscapes.length; i += 2) simple[simpleEscapes.charCodeAt(i)] = simpleEscapes.charCodeAt(i + 1);

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** Four hexadecimal digits, or -1. */
function hex4(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 > end) return -1;
  let value = 0;
  for (let i = at; i < at + 4; i += 1) {
    const digit = hexDigit(bytes[i] as number);
    if (digit < 0) return -1;
    value = (value << 4) | digit;
  }
  return value;
}

function encode(codePoint: number, bytes: Uint8Array, at: number): number {
  if (codePoint < 0x80) {
    bytes[at] = codePoint;
    return 1;
  }
  if (codePoint < 0x800) {
    bytes[at] = 0xc0 | (codePoint >> 6);
    bytes[at + 1] = 0x80 | (codePoint & 0x3f);
    return 2;
  }
  if (codePoint < 0x10000) {
    bytes[at] = 0xe0 | (codePoint >> 12);
    bytes[at + 1] = 0x80 | ((codePoint >> 6) & 0x3f);
    bytes[at + 2] = 0x80 | (codePoint & 0x3f);
    return 3;
  }
  bytes[at] = 0xf0 | (codePoint >> 18);
  bytes[at + 1] = 0x80 | ((codePoint >> 12) & 0x3f);
  bytes[at + 2] = 0x80 | ((codePoint >> 6) & 0x3f);
  bytes[at + 3] = 0x80 | (codePoint & 0x3f);
  return 4;
}

const sequence: Utf8Sequence = { length: 0, codePoint: 0, cut: false };

/** A `\u` escape at `at`: its length and code point; a code point of -1 is an error, a length of 0 asks for more input. */
function readUnicodeEscape(bytes: Uint8Array, at: number, end: number, final: boolean): { length: number; codePoint: number } {
  if (at + 6 > end && !final) return { length: 0, codePoint: 0 };
  const unit = hex4(bytes, at + 2, end);
  if (unit < 0xd800 || unit > 0xdfff) return { length: 6, codePoint: unit < 0 || isNoncharacter(unit) ? -1 : unit };
  if (unit >= 0xdc00) return { length: 6, codePoint: -1 };
  if (at + 12 > end && !final) return { length: 0, codePoint: 0 };

  if (bytes[at + 6] !== BACKSLASH || bytes[at + 7] !== LETTER_U) return { length: 6, codePoint: -1 };
  const low = hex4(bytes, at + 8, end);
  if (low < 0xdc00 || low > 0xdfff) return { length: 6, codePoint: -1 };
  const codePoint = 0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff);
  return { length: 12, codePoint: isNoncharacter(codePoint) ? -1 : codePoint };
}

/**
 * Takes the escapes out of `bytes[0, end)` and checks its encoding. **Overwrites `bytes`**: no escape is shorter
 * than what it stands for, so the result fits in place.
 *
 * `quote` is the closing quote if the stretch is the last of its string, else undefined. The error messages show
 * a `\u` escape with four characters after the `u`, the closing quote among them where it comes too early.
 */
export function unescape(bytes: Buffer, end: number, quote: number | undefined): Unescaped {
  const final = quote !== undefined;
  let from = 0;
  let to = 0;
  let ascii = true;
  while (from < end) {
    let byte = bytes[from] as number;
    while (byte < 0x80 && byte !== BACKSLASH) {
      bytes[to] = byte;
      from += 1;
      to += 1;
      if (from === end) break;
      byte = bytes[from] as number;
    }
    if (from === end) break;
    if (byte >= 0x80) {
      const { length, codePoint, cut } = readUtf8Sequence(bytes, from, end, sequence);
      if (cut && !final) break;
      if (codePoint < 0) return { text: '', taken: from, error: 'invalid UTF-8 sequence in string' };
      to += encode(codePoint, bytes, to);
      from += length;
      ascii = false;
      continue;
    }

    if (from + 1 >= end) break;
    const letter = bytes[from + 1] as number;
    if (letter !== LETTER_U) {
      const meaning = simple[letter] as number;
      if (meaning === 0) return { text: '', taken: from, error: 'invalid escape sequence in string' };
      bytes[to] = meaning;
      from += 2;
      to += 1;
      continue;
    }
    const { length, codePoint } = readUnicodeEscape(bytes, from, end, final);
    if (length === 0) break;
    if (codePoint < 0) return { text: '', taken: from, error: badEscape(bytes, from, end, length, quote) };
    to += encode(codePoint, bytes, to);
    from += length;
    if (codePoint >= 0x80) ascii = false;
  }
  return { text: ascii ? bytes.toString('latin1', 0, to) : bytes.toString('utf8', 0, to), taken: from, error: undefined };
}

function badEscape(bytes: Buffer, from: number, end: number, length: number, quote: number | undefined): string {
  const shown = [...bytes.subarray(from, Math.min(from + length, end))];
  if (shown.length < length && quote !== undefined) shown.push(quote);
  return `${lenientText(Uint8Array.from(shown))} is not a valid Unicode character`;
}
