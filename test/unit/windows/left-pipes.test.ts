// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { leaveOpen } from '../../../adapters/windows/left-pipes.ts';

function pipes(count: number) {
  const closed: number[] = [];
  const made = Array.from({ length: count }, (_, index) => ({ ...Promise.withResolvers<void>(), close: () => void closed.push(index) }));
  for (const { promise, close } of made) leaveOpen({ ended: promise, close });
  const end = async (index: number): Promise<void> => {
    made[index]?.resolve();
    await made[index]?.promise;
  };
  return { closed, end };
}

describe('pipes that others hold after the end of a program', () => {
  it('are held until nobody holds their other end, 256 at a time; past that the oldest is closed, and each once', async () => {
    const { closed, end } = pipes(258);

    expect(closed).toEqual([0, 1]);
    await end(5);
    expect(closed).toEqual([0, 1, 5]);
    for (let index = 0; index < 258; index += 1) await end(index);

    expect(closed).toHaveLength(258);
    expect(new Set(closed).size).toBe(258);
  });
});
