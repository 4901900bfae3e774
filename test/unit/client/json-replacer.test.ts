// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';

import { jsonReplacer } from '../../../client/index.ts';

it('integers, maps and bytes become JSON, and nothing is lost', () => {
  const answer = { small: 5n, negative: -7n, large: 2n ** 63n, map: new Map([['a', 1n]]), bytes: Buffer.from('hi'), plain: new Uint8Array([104, 105]), list: [1n, 'x', null] };

  expect(JSON.parse(JSON.stringify(answer, jsonReplacer))).toEqual({
    small: 5, negative: -7, large: '9223372036854775808', map: { a: 1 }, bytes: 'aGk=', plain: 'aGk=', list: [1, 'x', null],
  });
  expect(JSON.stringify(5n, jsonReplacer)).toBe('5');
});
