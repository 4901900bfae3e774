// SPDX-License-Identifier: Apache-2.0
import { type Decoded, JsonDecoder } from '../../../core/protocol/json-decoder.ts';
import { jsonText } from '../../../core/protocol/json-text.ts';

/** Everything that comes out of `bytes`, given in chunks of the given sizes (the last size repeats). */
export function decodeAll(bytes: Uint8Array, sizes: readonly number[] = [bytes.length], decoder = new JsonDecoder()): Decoded[] {
  const decoded: Decoded[] = [];
  let at = 0;
  for (let i = 0; at < bytes.length; i += 1) {
    const size = Math.max(1, sizes[Math.min(i, sizes.length - 1)] ?? 1);
    const chunk = Buffer.from(bytes.subarray(at, at + size));
    decoder.feed(chunk);
    for (let next = decoder.next(); next !== undefined; next = decoder.next()) decoded.push(next);
    // The memory is the caller's again: what the decoder still needs it must have copied.
    chunk.fill(0x7d);
    at += size;
  }
  return decoded;
}

/** Latin-1 text as bytes, so that a test can write any byte as `\xNN`. */
export const bytesOf = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Short form for expectations: the value as JSON text, or `! ` and the error without its place. */
export const outcome = (decoded: Decoded): string =>
  decoded.kind === 'error' ? `! ${decoded.desc.replace(/^\d+:\d+: JSON parse error, /, '')}` : jsonText(decoded.value);

/** Line, column and text of each error. */
export const placed = (text: string, sizes?: readonly number[]): string[] =>
  decodeAll(bytesOf(text), sizes).flatMap((decoded) => (decoded.kind === 'error' ? [decoded.desc.replace('JSON parse error, ', '')] : []));

export const outcomes = (text: string): string[] => decodeAll(bytesOf(text)).map(outcome);
