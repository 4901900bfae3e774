// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { withoutHead } from '../../../scripts/licence-heads.ts';

describe('sources', () => {
  it('say their licence in their head (else: node scripts/licence-heads.ts)', () => {
    expect(withoutHead()).toEqual([]);
  });
});
