// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';

/** Any code point but half of a surrogate pair, half of them small. (fast-check's own takes a second to come about.) */
export const anyCharacter = fc
  .oneof(fc.integer({ min: 0, max: 0x2ff }), fc.integer({ min: 0, max: 0x10ffff }))
  .filter((codePoint) => codePoint < 0xd800 || codePoint > 0xdfff)
  .map((codePoint) => String.fromCodePoint(codePoint));
