// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { encodeResult } from '../../../core/schema/encode.ts';
import {
  alternateOf, bool, double, enumOf, int, listOf, nothing, optional, required, str, struct, uint16, uint64, type SchemaType,
} from '../../../core/schema/types.ts';
import { validateArguments } from '../../../core/schema/validate.ts';

const colour = enumOf('Colour', ['red', 'green']);
const pair = struct('Pair', { first: required(int, ''), second: optional(str, '') }, ['second', 'first']);

describe('an answer', () => {
  it.each<[string, SchemaType, unknown, string]>([
    ['nothing', nothing, undefined, '{}'],
    ['the largest integer', int, 2n ** 63n - 1n, '9223372036854775807'],
    ['a safe number', int, -5, '-5'],
    ['minus zero', int, -0, '0'],
    ['an unsigned integer', uint64, 2n ** 64n - 1n, '18446744073709551615'],
    ['a small one', uint16, 65_535, '65535'],
    ['a number', double, 0.5, '0.5'],
    ['a boolean', bool, true, 'true'],
    ['the other boolean', bool, false, 'false'],
    ['a text', str, 'é"', '"\\u00E9\\""'],
    ['a word', colour, 'red', '"red"'],
    ['a list', listOf(int), [1n, 2n], '[1, 2]'],
    ['a structure in the order of the wire', pair, { first: 1n, second: 'x' }, '{"second": "x", "first": 1}'],
    ['a structure without what is optional', pair, { first: 1n }, '{"first": 1}'],
    ['an integer of an alternate', alternateOf('Either', int, colour), 7n, '7'],
    ['a word of an alternate', alternateOf('Either', int, colour), 'green', '"green"'],
  ])('of %s is printed', (_what, type, value, text) => {
    expect(encodeResult(type, value, 'answer')).toBe(text);
  });

  it.each<[string, SchemaType, unknown, string]>([
    ['an integer too large', int, 2n ** 63n, 'answer should be an integer from -9223372036854775808 to 9223372036854775807, but is bigint 9223372036854775808'],
    ['a number out of range', uint16, 65_536, 'answer should be an integer from 0 to 65535, but is number 65536'],
    ['a fraction', int, 1.5, 'but is number 1.5'],
    ['infinity', double, Infinity, 'answer should be a finite number, but is number Infinity'],
    ['a text for a number', double, 'x', 'answer should be a finite number, but is string x'],
    ['a text for a boolean', bool, 'true', 'answer should be a boolean, but is string true'],
    ['null for a text', str, null, 'answer should be a string, but is null'],
    ['a function for a text', str, () => 1, 'but is a value of type function'],
    ['a word that is none', colour, 'blue', 'answer should be one of red, green, but is string blue'],
    ['a number for a word', colour, 1, 'answer should be one of red, green, but is number 1'],
    ['no array', listOf(int), {}, 'answer should be an array, but is a value of type object'],
    ['an element', listOf(listOf(bool)), [[true], [1]], 'answer[1][0] should be a boolean, but is number 1'],
    ['an array for a structure', pair, [], 'answer should be a Pair, but is an array'],
    ['a member', pair, { first: 'x' }, 'answer.first should be an integer'],
    ['a missing member', pair, {}, 'answer.first should be present, but is absent'],
    ['a member too many', pair, { first: 1n, third: true }, 'answer.third should be absent, but is boolean true'],
  ])('with %s is an error that names the place', (_what, type, value, message) => {
    expect(() => encodeResult(type, value, 'answer')).toThrow(message);
    expect(() => encodeResult(type, value, 'answer')).toThrow('internal error: ');
  });

  it('passes on what a value’s own getter throws', () => {
    const value = { get first(): bigint { throw new TypeError('gone'); } };

    expect(() => encodeResult(pair, value, 'answer')).toThrow(new TypeError('gone'));
    expect(() => encodeResult(listOf(pair), [value], 'answer')).toThrow(new TypeError('gone'));
  });

  it('prints only what its order names', () => {
    const odd = { ...pair, wireOrder: ['first', 'nowhere'] };

    expect(encodeResult(odd, { first: 1n }, 'answer')).toBe('{"first": 1}');
  });
});

describe('arguments', () => {
  const check = (type: SchemaType, value: unknown) => validateArguments({ arg: required(type, '') }, new Map([['arg', value as never]]))['arg'];

  it.each<[SchemaType, unknown, unknown]>([
    [double, 5n, 5],
    [double, 0.5, 0.5],
    [uint64, -1n, 2n ** 64n - 1n],
    [alternateOf('Either', bool, colour), true, true],
    [alternateOf('Either', bool, colour), 'red', 'red'],
    [alternateOf('Either', int, colour), 3n, 3n],
    [pair, new Map([['first', 1n]]), { first: 1n }],
    [listOf(colour), ['red'], ['red']],
  ])('of type %o take %o', (type, value, result) => {
    expect(check(type, value)).toEqual(result);
  });

  it.each<[SchemaType, unknown, string]>([
    [int, 2n ** 63n, "Invalid parameter type for 'arg', expected: integer"],
    [uint64, 'x', "Parameter 'arg' expects uint64"],
    [double, 'x', "Invalid parameter type for 'arg', expected: number"],
    [bool, 1n, "Invalid parameter type for 'arg', expected: boolean"],
    [str, 1n, "Invalid parameter type for 'arg', expected: string"],
    [colour, 1n, "Invalid parameter type for 'arg', expected: string"],
    [colour, 'blue', "Parameter 'arg' does not accept value 'blue'"],
    [listOf(int), 1n, "Invalid parameter type for 'arg', expected: array"],
    [listOf(int), [1n, 'x'], "Invalid parameter type for 'arg[1]', expected: integer"],
    [pair, 1n, "Invalid parameter type for 'arg', expected: object"],
    [pair, new Map(), "Parameter 'arg.first' is missing"],
    [pair, new Map([['first', 1n], ['third', 1n]]), "Parameter 'arg.third' is unexpected"],
    [nothing, true, "Invalid parameter type for 'arg', expected: null"],
    [alternateOf('Either', bool, colour), 1n, "Invalid parameter type for 'arg', expected: Either"],
    [alternateOf('Either', int, colour), true, "Invalid parameter type for 'arg', expected: Either"],
  ])('of type %o refuse %o', (type, value, message) => {
    expect(() => check(type, value)).toThrow(message);
  });
});
