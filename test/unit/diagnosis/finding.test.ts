// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';
import { bad, good, warning } from '../../../core/diagnosis/finding.ts';

it('a finding has the verdict of its maker, and a remedy only where there is one', () => {
  expect([good('a', 'fits'), warning('b', 'is old', 'renew it'), bad('c', 'is gone')]).toEqual([
    { subject: 'a', verdict: 'good', detail: 'fits' },
    { subject: 'b', verdict: 'warning', detail: 'is old', remedy: 'renew it' },
    { subject: 'c', verdict: 'bad', detail: 'is gone' },
  ]);
  expect(bad('c', 'is gone')).not.toHaveProperty('remedy');
});
