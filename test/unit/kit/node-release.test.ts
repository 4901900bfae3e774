// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';

import { requireNodeRelease } from '../../../kit/contract/node-release.ts';

it('an older Node is told once, and not by every sentence of the contract', () => {
  expect(() => requireNodeRelease('20.20.2')).toThrow('the contract suite needs Node 22 or later, and this is 20.20.2');
});

it.each(['22.0.0', '24.21.0', '100.0.0'])('Node %s runs the suite', (release) => {
  expect(() => requireNodeRelease(release)).not.toThrow();
});
