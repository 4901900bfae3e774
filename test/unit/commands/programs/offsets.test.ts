// SPDX-License-Identifier: Apache-2.0
/** Whatever a host asks for, and however often, it gets the bytes that were written, and the program those that were brought. */
import { describe, expect, it } from 'vitest';

import { settled } from '../../../../adapters/fake/clock.ts';
import { base64, conversing } from './support.ts';

/** Numerical Recipes' generator: the same numbers on every run. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const byteAt = (offset: number): number => (offset * 31 + (offset >> 7)) & 0xff;
const bytesFrom = (offset: number, length: number): Buffer => Buffer.from(Array.from({ length }, (_, index) => byteAt(offset + index)));

describe('offsets', () => {
  it.each([1, 2, 3, 4, 5, 6])('of input and output hold through repeats, overlaps, gaps and lost answers (seed %i)', async (seed) => {
    const random = randomFrom(seed);
    const { start, say } = conversing();
    const program = await start('/bin/cat', { stdin: 'open' });
    let [accepted, written, forgotten, refused] = [0, 0, 0, 0];

    for (let round = 0; round < 400; round += 1) {
      const inputOffset = Math.max(0, accepted - random(50) + random(3));
      const length = random(300);
      const outputOffset = Math.max(0, forgotten - random(3) + random(written - forgotten + 4));
      const isAsked = random(4) > 0;
      const args = {
        program, 'wait-ms': 0, size: 1 + random(200),
        ...(random(3) > 0 && { input: base64(bytesFrom(inputOffset, length)), 'input-offset': inputOffset }),
        ...(isAsked && { 'output-offset': outputOffset }),
      };
      const answer = await say('exchange', args);
      await settled();
      if (answer.startsWith('error')) {
        refused += 1;
        const isGap = 'input' in args && length > 0 && inputOffset > accepted;
        expect([isGap, isAsked && (outputOffset < forgotten || outputOffset > written)], answer).toContain(true);
        continue;
      }
      const told = JSON.parse(answer) as { 'input-accepted': number; output?: string; 'output-offset': number };
      const bytes = Buffer.from(told.output ?? '', 'base64');
      accepted = Math.max(accepted, told['input-accepted']);
      if (isAsked) forgotten = Math.max(forgotten, outputOffset);
      expect(told['output-offset']).toBe(isAsked ? outputOffset : forgotten);
      expect(bytes.equals(bytesFrom(told['output-offset'], bytes.length))).toBe(true);
      expect(bytes.length).toBeLessThanOrEqual(args.size);
      written = Math.max(written, told['output-offset'] + bytes.length);
      // What the agent has read is what may be asked for.
      if (bytes.length < args.size) written = told['output-offset'] + bytes.length;
    }

    expect(accepted).toBeGreaterThan(1000);
    expect(refused).toBeGreaterThan(10);
  });
});
