// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { expect } from 'vitest';
import { differences, type Difference } from '../differences.ts';
import { matches, type GoldenExchange, type GoldenLine } from '../golden.ts';

export const keyOf = ({ group, name }: Pick<GoldenExchange, 'group' | 'name'>): string => `${group}/${name}`;

export const differenceOf = (exchange: Pick<GoldenExchange, 'group' | 'name'>): Difference | undefined => differences[keyOf(exchange)];

/** What a test says of a record in its name. */
export const verdict = (exchange: Pick<GoldenExchange, 'group' | 'name'>): string => {
  const difference = differenceOf(exchange);
  return difference === undefined ? 'as qemu-ga' : `otherwise than qemu-ga (${difference.row})`;
};

/** Fails with the first line that isn't the recorded one; long lines are cut. */
export function expectLines(actual: readonly (Buffer | string)[], expected: readonly GoldenLine[]): void {
  const lines = actual.map((line) => (typeof line === 'string' ? Buffer.from(line, 'latin1') : line));
  const longer = Math.max(lines.length, expected.length);
  for (let i = 0; i < longer; i += 1) {
    const [line, wanted] = [lines[i], expected[i]];
    if (line !== undefined && wanted !== undefined && matches(line, wanted)) continue;
    expect({ line: i + 1, text: line?.toString('latin1').slice(0, 2000) }).toEqual({ line: i + 1, text: wanted });
  }
  expect(lines.length).toBe(expected.length);
}
