// SPDX-License-Identifier: Apache-2.0
import { setImmediate } from 'node:timers/promises';

/**
 * Gives others their turn of the event loop within a long run of calls that wait for nothing: asked before each of them,
 * it answers a promise once in `calls`.
 */
export function turns(calls: number): () => Promise<void> | undefined {
  let left = calls;
  return () => {
    left -= 1;
    if (left > 0) return undefined;
    left = calls;
    return setImmediate();
  };
}
