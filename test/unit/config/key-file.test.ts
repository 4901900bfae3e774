// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { KeyFile, escapeValue } from '../../../adapters/config/key-file.ts';

const parse = (text: string): KeyFile => KeyFile.parse(Buffer.from(text));

describe('a key file', () => {
  it('keeps values apart by group, and the last of a repeated key', () => {
    const file = parse('# comment\n\n[one]\na=1\na = 2\n[two] \t\na=3\n[one]\nb=4\n');

    expect(file.string('one', 'a')).toBe('2');
    expect(file.string('two', 'a')).toBe('3');
    expect(file.string('one', 'b')).toBe('4');
    expect(file.string('three', 'a')).toBeUndefined();
    expect(file.keys('one')).toEqual(['a', 'b']);
  });

  it('takes blanks off the start of a value and leaves them at its end', () => {
    expect(parse('[g]\n  k \t=  v  \n').string('g', 'k')).toBe('v  ');
  });

  it('reads lines that end in CR LF, and a file without a last line end', () => {
    expect(parse('[g]\r\nk=v\r\nl=w').string('g', 'k')).toBe('v');
    expect(parse('[g]\r\nk=v\r\nl=w').string('g', 'l')).toBe('w');
  });

  it('passes over the byte order mark of an editor', () => {
    expect(parse('\uFEFF[g]\nk=v\n').string('g', 'k')).toBe('v');
  });

  it('undoes the escapes of GLib', () => {
    expect(parse('[g]\nk=\\sa\\tb\\nc\\rd\\\\e\n').string('g', 'k')).toBe(' a\tb\nc\rd\\e');
  });

  it.each(['\\x', 'a\\', '\\"'])('says that the value %j cannot be interpreted', (value) => {
    const file = parse(`[g]\nk=${value}\n`);

    expect(() => file.string('g', 'k')).toThrow('Key file contains key “k” which has a value that cannot be interpreted.');
  });

  it.each([['true', true], ['1', true], ['false', false], ['0 ', false]])('reads the boolean %j', (text, value) => {
    expect(parse(`[g]\nk=${text}\n`).boolean('g', 'k')).toBe(value);
  });

  it.each(['yes', 'TRUE', '', '2', 'true false'])('refuses the boolean %j', (text) => {
    expect(() => parse(`[g]\nk=${text}\n`).boolean('g', 'k')).toThrow('cannot be interpreted. (it takes true or false)');
  });

  it('minds bytes that are not UTF-8 only where somebody reads them', () => {
    const file = KeyFile.parse(Buffer.concat([Buffer.from('[g]\nbad='), Buffer.of(0x2f, 0xff), Buffer.from('\ngood=ü\n')]));

    expect(file.string('g', 'good')).toBe('ü');
    expect(() => file.string('g', 'bad')).toThrow('Key file contains key “bad” with value “/\uFFFD” which is not UTF-8');
  });

  it.each([
    ['k=v\n', 'Key file does not start with a group'],
    ['[g]\nnonsense\n', 'Key file contains line “nonsense” which is not a key-value pair, group, or comment'],
    ['[g]\n=v\n', 'Key file contains line “=v” which is not a key-value pair, group, or comment'],
    ['[]\n', 'Invalid group name: '],
    ['[a]b]\n', 'Invalid group name: a]b'],
    ['[g]\na[=v\n', 'Invalid key name: a['],
  ])('refuses %j', (text, sentence) => {
    expect(() => parse(text)).toThrow(sentence);
  });

  it.each(['plain', ' lead', '\t\t x', 'a b;c\\d\te', 'line\nline\r', '', '\\s'])('gives back %j after writing it', (value) => {
    expect(parse(`[g]\nk=${escapeValue(value)}\n`).string('g', 'k')).toBe(value);
  });
});
