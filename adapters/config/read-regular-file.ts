// SPDX-License-Identifier: Apache-2.0
import { placeGuard } from '../shared/trust/place-guard.ts';
import { readTrusted } from '../shared/trust/trusted-file.ts';

/** A configuration is some lines; what is longer is none. */
const longest = 1024 * 1024;

/**
 * The bytes of a small regular file that nobody else may have written, for it says what the agent runs as root.
 * Synchronous: used at the start, before there is anything to delay.
 * @throws os error, `Not a regular file`, or the sentence of the rule of trusted places
 */
export function readRegularFile(path: string, limit = longest): Uint8Array {
  return placeGuard()?.read(path, limit) ?? readTrusted(path, limit);
}
