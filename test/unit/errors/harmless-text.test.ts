// SPDX-License-Identifier: Apache-2.0
import { assert, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';

import { harmless, harmlessJson, harmlessLines } from '../../../core/errors/harmless-text.ts';

const nothingHarmful = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]*$/u;

describe('text of somebody else', () => {
  it.each([
    ['a title: \u001b]0;owned\u0007', 'a title: \\x1b]0;owned\\x07'],
    ['C1: \u009b2J', 'C1: \\x9b2J'],
    ['bidi: \u202e\u2066', 'bidi: \\u202e\\u2066'],
    ['lines: \r\n\t\u2028\u2029', 'lines: \\r\\n\\t\\u2028\\u2029'],
    ['invisible: \u200b\u00ad\ufeff\u{e0041}', 'invisible: \\u200b\\xad\\ufeff\\u{e0041}'],
    ['half: \ud800', 'half: \\ud800'],
    ['Grüße 😀 日本', 'Grüße 😀 日本'],
  ])('%j is shown as %j', (text, shown) => {
    expect(harmless(text)).toBe(shown);
  });

  it('keeps its lines and tabs where it has many', () => {
    expect(harmlessLines('a\tb\nc\r\u001b[2J')).toBe('a\tb\nc\\r\\x1b[2J');
    expect(harmlessLines('plain')).toBe('plain');
  });

  it('has nothing left that a terminal obeys, whatever it was', () => {
    assert(property(string({ unit: 'binary' }), (text) => {
      expect(harmless(text)).toMatch(nothingHarmful);
      expect(harmlessLines(text).replaceAll(/[\n\t]/g, '')).toMatch(nothingHarmful);
    }));
  });
});

describe('JSON', () => {
  it('writes such characters as \\u escapes', () => {
    expect(harmlessJson('{"a\u202e": "\u009b\u007f\u{e0041}"}')).toBe('{"a\\u202e": "\\u009b\\u007f\\udb40\\udc41"}');
    expect(harmlessJson('[1]')).toBe('[1]');
  });

  it('stays the same value', () => {
    assert(property(string({ unit: 'binary' }), (text) => {
      const json = harmlessJson(JSON.stringify({ [text]: text }, undefined, 2));

      expect(JSON.parse(json)).toEqual(JSON.parse(JSON.stringify({ [text]: text })));
      expect(json.replaceAll('\n', '')).toMatch(nothingHarmful);
    }));
  });
});
