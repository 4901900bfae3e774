// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { jsonNumber, jsonString, jsonText } from '../../../core/protocol/json-text.ts';
import { decodeAll } from './decoding.ts';

describe('jsonString', () => {
  it.each([
    ['plain', '"plain"'],
    ['<>&\'/', '"<>&\'/"'],
    ['"\\', '"\\"\\\\"'],
    ['\b\f\n\r\t', '"\\b\\f\\n\\r\\t"'],
    ['\0\x01\x1f\x7f', '"\\u0000\\u0001\\u001F\\u007F"'],
    ['é☃😀', '"\\u00E9\\u2603\\uD83D\\uDE00"'],
    ['\ud83dx\ude00', '"\\uFFFDx\\uFFFD"'],
    ['\ufffe\ufdd0\u{1ffff}', '"\\uFFFD\\uFFFD\\uFFFD"'],
  ])('writes %j in printable ASCII', (text, expected) => {
    expect(jsonString(text)).toBe(expected);
  });
});

describe('jsonNumber', () => {
  it.each([
    [3, '3'],
    [0, '0'],
    [-0, '-0'],
    [0.1, '0.10000000000000001'],
    [-1.5, '-1.5'],
    [100, '100'],
    [1e16, '10000000000000000'],
    [1e17, '1e+17'],
    [1e20, '1e+20'],
    [1e-4, '0.0001'],
    [1e-5, '1.0000000000000001e-05'],
    [1e-7, '9.9999999999999995e-08'],
    [3.141592653589793, '3.1415926535897931'],
    [123456789.125, '123456789.125'],
    [1.7976931348623157e308, '1.7976931348623157e+308'],
    [5e-324, '4.9406564584124654e-324'],
    [9.999999999999999e22, '9.9999999999999992e+22'],
    [Infinity, 'inf'],
    [-Infinity, '-inf'],
    [Number.NaN, 'nan'],
  ])('prints %d as %%.17g does', (value, expected) => {
    expect(jsonNumber(value)).toBe(expected);
  });

  it('rounds a tie at the 17th digit to even, as C does and toPrecision does not', () => {
    expect(jsonNumber(1125899906842624.25)).toBe('1125899906842624.2');
    expect(jsonNumber(1125899906842624.75)).toBe('1125899906842624.8');
  });

  it('prints 64-bit integers in full', () => {
    expect([18446744073709551615n, -9223372036854775808n].map(jsonNumber)).toEqual(['18446744073709551615', '-9223372036854775808']);
  });
});

describe('jsonText', () => {
  it('separates with a comma and a blank, and keeps the order of members', () => {
    const value = new Map<string, Parameters<typeof jsonText>[0]>([
      ['b', [1n, 2.5, null, true, []]],
      ['a', new Map()],
      ['é', 'x'],
    ]);

    expect(jsonText(value)).toBe('{"b": [1, 2.5, null, true, []], "a": {}, "\\u00E9": "x"}');
  });

  it('writes every kind of value, with a blank behind each colon and comma', () => {
    const text = '{"a": [true, false, null, 1, 1.5, "x"], "b": {}, "c": []}';

    expect(decodeAll(Buffer.from(text.replaceAll(' ', ''))).map((one) => (one.kind === 'value' ? jsonText(one.value) : one))).toEqual([text]);
  });
});
