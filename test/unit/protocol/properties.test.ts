// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { JsonDecoder } from '../../../core/protocol/json-decoder.ts';
import { jsonText } from '../../../core/protocol/json-text.ts';
import type { JsonValue } from '../../../core/protocol/value.ts';
import { anyCharacter } from './any-character.ts';
import { decodeAll } from './decoding.ts';
import { hostileInput, seed } from './hostile.ts';

const WELL_FORMED = /^(\d+:\d+: JSON parse error, (stray '[^]*|expecting (value|key|':')|expected ',' or '[}\]]'|duplicate key|invalid keyword '[a-z]+'|invalid escape sequence in string|invalid UTF-8 sequence in string|\\u[^]{0,10} is not a valid Unicode character)|JSON (token size|token count|nesting depth) limit exceeded)$/;

const text = fc.string({ unit: anyCharacter, maxLength: 12 }).filter((value) => !/[\p{Noncharacter_Code_Point}\ud800-\udfff]/u.test(value));
const { value: anyValue } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<JsonValue>(null, true, false),
    text,
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(text, tie('value')), { maxLength: 4 }).map((members) => new Map(members)),
  ),
}));

describe(`properties of the decoder (CONCIERGE_SEED=${seed})`, () => {
  it('gives the same for the same bytes, however they are cut', () => {
    fc.assert(
      fc.property(hostileInput, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 40 }), (bytes, sizes) => {
        const whole = decodeAll(bytes);

        expect(decodeAll(bytes, [1])).toEqual(whole);
        expect(decodeAll(bytes, sizes)).toEqual(whole);
      }),
      { seed, numRuns: 3000 },
    );
  });

  it('never throws, holds no more than it was given, and says well-formed things', () => {
    const decoder = new JsonDecoder();
    fc.assert(
      fc.property(hostileInput, (bytes) => {
        decoder.reset();
        for (const decoded of decodeAll(bytes, [17], decoder)) {
          if (decoded.kind === 'error') {
            expect(decoded.desc).toMatch(WELL_FORMED);
            expect(decoded.desc.isWellFormed()).toBe(true);
          }
        }
        expect(decoder.pendingBytes).toBeLessThanOrEqual(bytes.length);
      }),
      { seed, numRuns: 3000 },
    );
  });

  it('answers a request after any garbage, a sentinel and a line feed', () => {
    fc.assert(
      fc.property(hostileInput, (garbage) => {
        const bytes = Buffer.concat([garbage, Buffer.from('\xff\n{"execute":"guest-ping"}', 'latin1')]);

        expect(decodeAll(bytes, [5]).at(-1)).toEqual({ kind: 'value', value: new Map([['execute', 'guest-ping']]), idText: undefined });
      }),
      { seed, numRuns: 1000 },
    );
  });

  it('reads back what jsonText wrote, and echoes it as id unchanged', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const written = jsonText(value);

        expect(decodeAll(Buffer.from(`{"id":${written}}`), [3])).toEqual([
          { kind: 'value', value: new Map([['id', value]]), idText: written },
        ]);
      }),
      { seed, numRuns: 1000 },
    );
  });

  it('agrees with JSON.parse on what JSON.stringify writes, but for the type of integers', () => {
    const plain = (value: JsonValue): unknown => {
      if (value instanceof Map) return Object.fromEntries([...value].map(([key, member]) => [key, plain(member)]));
      if (Array.isArray(value)) return value.map(plain);
      return typeof value === 'bigint' ? Number(value) : value;
    };
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const source = JSON.stringify(value);
        const [decoded] = decodeAll(Buffer.from(`${source} `), [4]);

        if (decoded?.kind === 'value') expect(plain(decoded.value)).toEqual(JSON.parse(source));
        else expect(source).toMatch(/\p{Noncharacter_Code_Point}|\\ud|0e/u);
      }),
      { seed, numRuns: 1000 },
    );
  });
});
