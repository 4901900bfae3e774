// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { BackOff } from '../../../adapters/channels/back-off.ts';

it('waits longer each time, up to the longest', () => {
  const backOff = new BackOff(100, 1000);

  const delays = Array.from({ length: 6 }, () => backOff.next());

  expect(delays).toEqual([100, 200, 400, 800, 1000, 1000]);
});

it('starts afresh after a success', () => {
  const backOff = new BackOff(100, 1000);
  backOff.next();
  backOff.next();

  backOff.reset();

  expect(backOff.next()).toBe(100);
});
