// SPDX-License-Identifier: Apache-2.0
/** Noncharacters: U+FDD0 to U+FDEF and the last two code points of every plane. */
export const isNoncharacter = (codePoint: number): boolean =>
  (codePoint & 0xfffe) === 0xfffe || (codePoint >= 0xfdd0 && codePoint <= 0xfdef);

/** Length that a lead byte announces; the five and six byte forms of old are recognised in order to be refused whole. */
function announcedLength(lead: number): number {
  if (lead < 0xc0) return 1;
  if (lead < 0xe0) return 2;
  if (lead < 0xf0) return 3;
  if (lead < 0xf8) return 4;
  if (lead < 0xfc) return 5;
  return lead < 0xfe ? 6 : 1;
}

const smallest = [0, 0, 0x80, 0x800, 0x10000];

/** One multi-byte sequence as the agent's dialect sees it. */
export interface Utf8Sequence {
  /** Bytes of the sequence that are there; a bad sequence is passed over as one. */
  length: number;
  /** The code point, or -1 if the sequence is not acceptable. */
  codePoint: number;
  /** The input ended inside the sequence, and what is there could still become a good one. */
  cut: boolean;
}

/**
 * Reads the sequence at `at` (a byte of 0x80 or above) by the rules of modified UTF-8: U+0000 is C0 80; overlong
 * forms, surrogates, noncharacters and everything above U+10FFFF are refused.
 *
 * `into` is filled and returned, so that long text costs no allocations.
 */
export function readUtf8Sequence(bytes: Uint8Array, at: number, end: number, into: Utf8Sequence): Utf8Sequence {
  const lead = bytes[at] as number;
  const announced = announcedLength(lead);
  let length = 1;
  let codePoint = announced === 1 ? -1 : lead & (0x7f >> announced);
  while (length < announced && at + length < end) {
    const byte = bytes[at + length] as number;
    if ((byte & 0xc0) !== 0x80) break;
    codePoint = (codePoint << 6) | (byte & 0x3f);
    length += 1;
  }

  into.length = length;
  into.cut = length < announced && at + length === end;
  const refused =
    length < announced ||
    announced > 4 ||
    codePoint > 0x10ffff ||
    (codePoint < (smallest[announced] as number) && !(codePoint === 0 && announced === 2)) ||
    (codePoint >= 0xd800 && codePoint <= 0xdfff) ||
    isNoncharacter(codePoint);
  into.codePoint = refused ? -1 : codePoint;
  return into;
}

/**
 * Text of bytes that are shown in an error message: each bad sequence becomes U+FFFD, a NUL ends the text
 * (qemu-ga prints it with C's `%s`).
 */
export function lenientText(bytes: Uint8Array): string {
  const sequence: Utf8Sequence = { length: 0, codePoint: 0, cut: false };
  let text = '';
  for (let at = 0; at < bytes.length; at += sequence.length) {
    const byte = bytes[at] as number;
    if (byte === 0) break;
    if (byte < 0x80) {
      sequence.length = 1;
      text += String.fromCharCode(byte);
    } else {
      readUtf8Sequence(bytes, at, bytes.length, sequence);
      text += sequence.codePoint < 0 ? '\ufffd' : String.fromCodePoint(sequence.codePoint);
    }
  }
  return text;
}
