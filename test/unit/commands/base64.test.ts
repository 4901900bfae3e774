// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { decodeBase64 } from '../../../core/commands/base64.ts';
import { anyCharacter } from '../protocol/any-character.ts';

const decoded = (text: string): string => Buffer.from(decodeBase64(text)).toString('latin1');

describe('base64 of arguments', () => {
  it.each([
    ['YWJj', 'abc'],
    ['', ''],
    ['YQ==', 'a'],
    ['YWI=', 'ab'],
    ['YQ', ''],
    ['YWI', ''],
    ['Y', ''],
    ['YWJjZ', 'abc'],
    ['====', '\0'],
    ['YQ==YQ==', 'aa'],
    ['Y=Q=', '`\x04'],
    ['YR==', 'a'],
    ['YW\nJj', 'abc'],
    ['YWJj\n', 'abc'],
    ['YWJj\nZGVm\n', 'abcdef'],
    ['\n', ''],
  ])('takes %j as qemu-ga 11.1 does', (text, bytes) => {
    expect(decoded(text)).toBe(bytes);
  });

  it.each(['YW Jj', 'Y-_j', 'Y*==', 'YWJj\r\n', 'YWJj\u00e9', 'YWJj\0', '-', '____', 'YWJj!', '\u0141WJj', '\u0141WJjabc\u0141', 'AAA\u2028'])(
    'refuses %j',
    (text) => {
      expect(() => decodeBase64(text)).toThrow('Base64 data contains invalid characters');
    },
  );

  it('gives back what was encoded, whatever it is and wherever line feeds stand', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 80 }), (bytes, width) => {
      const text = Buffer.from(bytes).toString('base64');
      const lines = text.replaceAll(new RegExp(`(.{${width}})`, 'g'), '$1\n');

      expect(Buffer.from(decodeBase64(text)).equals(bytes)).toBe(true);
      expect(Buffer.from(decodeBase64(lines)).equals(bytes)).toBe(true);
    }));
  });

  it('refuses whatever is outside the alphabet, wherever it stands and whatever it looks like in eight bits', () => {
    const strange = fc.string({ unit: anyCharacter, minLength: 1, maxLength: 3 }).filter((text) => /[^A-Za-z0-9+/=\n]/.test(text));
    const plain = fc.string({ unit: fc.constantFrom('A', 'b', '0', '/'), maxLength: 12 });
    fc.assert(fc.property(plain, strange, plain, (before, between, after) => {
      expect(() => decodeBase64(before + between + after)).toThrow('Base64 data contains invalid characters');
    }));
  });

  it('agrees with a decoder that goes group by group, for any text of the alphabet', () => {
    const letters = fc.constantFrom('A', 'B', 'a', 'b', '0', '1', '+', '/', '=', '\n');
    fc.assert(fc.property(fc.string({ unit: letters, maxLength: 24 }), (text) => {
      const groups = text.replaceAll('\n', '').match(/.{4}/g) ?? [];
      const expected = groups.flatMap((group) => {
        const bytes = [...Buffer.from(group.replaceAll('=', 'A'), 'base64')];
        return bytes.filter((_byte, index) => index === 0 || group[index + 1] !== '=');
      });

      expect([...decodeBase64(text)]).toEqual(expected);
    }));
  });
});
