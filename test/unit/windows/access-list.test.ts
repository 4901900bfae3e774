// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { strangersWith } from '../../../adapters/windows/diagnosis/access-list.ts';

describe('who may write to a file, by its SDDL', () => {
  for (const [what, sddl, strangers] of [
    ['SYSTEM and administrators alone', 'O:BAD:P(A;;FA;;;SY)(A;;FA;;;BA)', []],
    ['the same by their numbers', 'O:S-1-5-18D:PAI(A;;0x1f01ff;;;S-1-5-32-544)', []],
    ['readers', 'O:SYD:P(A;;FA;;;SY)(A;;0x1200a9;;;AU)(A;;FR;;;WD)(A;;FRFX;;;BU)', []],
    ['an heir of the folder that authenticated users may change', 'O:BAD:AI(A;ID;0x1301bf;;;AU)(A;ID;FA;;;SY)', ['AU']],
    ['a user with everything', 'O:BAD:P(A;;FA;;;S-1-5-21-1-2-3-1001)', ['S-1-5-21-1-2-3-1001']],
    ['a user who may only append', 'O:BAD:P(A;;LC;;;BU)', ['BU']],
    ['a user who may change the list', 'O:BAD:P(A;;FRWD;;;BU)', ['BU']],
    ['generic rights', 'O:BAD:P(A;;GA;;;WD)(A;;GR;;;BU)(A;;GW;;;IU)', ['WD', 'IU']],
    ['somebody who is denied', 'O:BAD:P(D;;FA;;;WD)(A;;FA;;;SY)', []],
    ['an owner of their own', 'O:S-1-5-21-1-2-3-1001G:BUD:P(A;;FA;;;SY)', ['S-1-5-21-1-2-3-1001']],
    ['no list at all', 'O:BA', ['WD']],
    ['an empty list, which is nothing for anybody', 'O:BAD:P', []],
    ['an unconditional list of nothing', 'O:SYD:NO_ACCESS_CONTROL', ['WD']],
  ] as const) {
    it(`finds ${strangers.length === 0 ? 'nobody' : strangers.join(' and ')} with ${what}`, () => {
      expect(strangersWith(sddl)).toEqual(strangers);
    });
  }
});
