// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import { AgentError } from '../errors/agent-error.ts';
import { Base64Text } from '../schema/types.ts';

const LINE_FEED = 0x0a;
const PADDING = 0x3d;
const INVALID = 0xff;
/** Of a character in UTF-8. */
const LONGEST_CHARACTER = 4;

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const sextets = new Uint8Array(256).fill(INVALID);
for (let value = 0; value < alphabet.length; value += 1) sextets[alphabet.charCodeAt(value)] = value;
sextets[PADDING] = 0;

const invalid = (): AgentError => AgentError.failed('Base64 data contains invalid characters');

/** What a handler is given for an argument of schema type `base64`. */
export type Base64Argument = string | Base64Text;

/**
 * The bytes of `decodeBase64`, in the pieces in which they are at hand. Those of a `Base64Text` are gone after its `release`.
 *
 * @throws AgentError `Base64 data contains invalid characters`
 */
export const decodePieces = (text: Base64Argument): Uint8Array[] =>
  text instanceof Base64Text ? text.bytesWith(decodeBase64(text.tail)) : [decodeBase64(text)];

/**
 * Bytes of a base64 argument. Refused is every character outside the standard alphabet, `=` and LF; within it decoding is
 * as lenient as qemu-ga 11.1: a group of fewer than four characters at the end is dropped without a word, data may go on
 * after padding, and bits below padding don't matter.
 *
 * @throws AgentError `Base64 data contains invalid characters`
 */
export function decodeBase64(text: Base64Argument): Uint8Array {
  if (text instanceof Base64Text) return Buffer.concat(decodePieces(text));
  return decodeWhole(text) ?? decodeWhole(text.replaceAll('\n', '')) ?? decodeLeniently(text);
}

/**
 * What the platform's decoder makes of it, where that is certain to be right: it skips what it does not know, so that
 * nothing was skipped if the length is the expected one. It also takes the URL-safe alphabet, which we don't, and looks at
 * the lower eight bits alone of a character such as U+0141, which it takes for an A.
 */
function decodeWhole(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  if (text.includes('-') || text.includes('_')) return undefined;
  let padding = 0;
  if (text.endsWith('=')) padding = text.endsWith('==') ? 2 : 1;
  // Only ASCII is as long in UTF-8 as it is: the fastest way to know (a fifth of what Buffer.byteLength takes). With room
  // for one character more than that, a text that is longer is not cut to just this length.
  const bytes = Buffer.allocUnsafe(text.length + LONGEST_CHARACTER);
  if (bytes.write(text, 'utf8') !== text.length) return undefined;
  const length = bytes.write(text, 'base64');
  return length === (text.length / 4) * 3 - padding ? bytes.subarray(0, length) : undefined;
}

/** Character by character, in groups of four; padding counts as zero bits and costs the byte that it stands for. */
function decodeLeniently(text: string): Uint8Array {
  const bytes = new Uint8Array(Math.floor(text.length / 4) * 3);
  let length = 0;
  let group = 0;
  let inGroup = 0;
  let beforeLast = 0;
  let last = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === LINE_FEED) continue;
    const sextet = sextets[code] ?? INVALID;
    if (sextet === INVALID) throw invalid();
    beforeLast = last;
    last = code;
    group = (group << 6) | sextet;
    inGroup += 1;
    if (inGroup < 4) continue;
    bytes[length++] = group >> 16;
    if (beforeLast !== PADDING) bytes[length++] = group >> 8;
    if (last !== PADDING) bytes[length++] = group;
    group = 0;
    inGroup = 0;
  }
  return bytes.subarray(0, length);
}
