// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

/** What a byte outside of a token starts. */
export const STRAY = 0;
export const SPACE = 1;
export const PUNCTUATION = 2;
export const QUOTE = 3;
export const DIGIT = 4;
export const LETTER = 5;

export const starts = new Uint8Array(256);
for (const byte of Buffer.from(' \t\r\n')) starts[byte] = SPACE;
for (const byte of Buffer.from('{}[]:,')) starts[byte] = PUNCTUATION;
for (const byte of Buffer.from('"\'')) starts[byte] = QUOTE;
for (const byte of Buffer.from('-0123456789')) starts[byte] = DIGIT;
for (const byte of Buffer.from('abcdefghijklmnopqrstuvwxyz')) starts[byte] = LETTER;

/** 1 for structure, control bytes other than TAB, 0xFE and 0xFF. */
const endsRecovery = Uint8Array.from(starts, (start, byte) =>
  start === PUNCTUATION || (byte < 0x20 && byte !== 0x09) || byte >= 0xfe ? 1 : 0,
);

/** Index in `[from, to]` of the first byte that is no lower-case letter, or `to`. */
export function wordEnd(chunk: Buffer, from: number, to: number): number {
  let i = from;
  while (i < to && starts[chunk[i] as number] === LETTER) i += 1;
  return i;
}

/** Index from `from` on of the byte that ends the recovery from a lexical error, or the chunk's length. */
export function recoveryEnd(chunk: Buffer, from: number): number {
  let i = from;
  while (i < chunk.length && endsRecovery[chunk[i] as number] === 0) i += 1;
  return i;
}
