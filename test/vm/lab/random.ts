// SPDX-License-Identifier: Apache-2.0
import { seed } from '../../unit/protocol/hostile.ts';

export { seed };

/** Whole numbers from 0 to below `limit`, the same after each start with the same seed (xorshift32). */
export function random(from = seed): (limit: number) => number {
  // Zero would stay zero.
  let state = (from | 0) || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 2 ** 32) * limit);
  };
}
