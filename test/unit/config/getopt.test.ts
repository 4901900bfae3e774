// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { getopt, type OptionSyntax } from '../../../adapters/config/getopt.ts';

const options: readonly OptionSyntax[] = [
  { long: 'method', short: 'm', argument: 'required', preferred: true },
  { long: 'verbose', short: 'v', argument: 'none', preferred: true },
  { long: 'version', short: 'V', argument: 'none', preferred: true },
  { long: 'fsfreeze-hook', short: 'F', argument: 'optional', preferred: true },
  { long: 'fsfreeze-exclude', argument: 'required' },
  { long: 'freeze-timeout', argument: 'required' },
  { long: 'freeze-within', argument: 'required' },
];

/** `m=x` for an option with a value, `m` for one without, `!text` for an error, `"w"` for a word. */
const read = (...words: string[]): string[] =>
  [...getopt(words, options)].map((item) => {
    if (item.kind === 'error') return `!${item.message}`;
    if (item.kind === 'word') return JSON.stringify(item.word);
    return item.value === undefined ? item.option.long : `${item.option.long}=${item.value}`;
  });

describe('a command line', () => {
  it('takes the value of a letter attached or as the next word', () => {
    expect(read('-mx', '-m', 'y')).toEqual(['method=x', 'method=y']);
  });

  it('bundles letters, the last of which may have a value', () => {
    expect(read('-vVmx', '-vm', 'y')).toEqual(['verbose', 'version', 'method=x', 'verbose', 'method=y']);
  });

  it('takes the value of a long option attached or as the next word', () => {
    expect(read('--method=x', '--method', 'y', '--method=')).toEqual(['method=x', 'method=y', 'method=']);
  });

  it('takes an optional value only attached', () => {
    expect(read('-F', '/a', '-F/b', '--fsfreeze-hook', '/c', '--fsfreeze-hook=/d')).toEqual([
      'fsfreeze-hook', '"/a"', 'fsfreeze-hook=/b', 'fsfreeze-hook', '"/c"', 'fsfreeze-hook=/d',
    ]);
  });

  it('completes an abbreviation, and prefers an option of qemu-ga to one of ours', () => {
    expect(read('--verb', '--meth=x', '--fs', '--freeze-t=5')).toEqual(['verbose', 'method=x', 'fsfreeze-hook', 'freeze-timeout=5']);
  });

  it('names the possibilities of an ambiguous abbreviation', () => {
    expect(read('--ver')).toEqual(["!option '--ver' is ambiguous; possibilities: '--verbose' '--version'"]);
    expect(read('--freeze=1')).toEqual(["!option '--freeze=1' is ambiguous; possibilities: '--freeze-timeout' '--freeze-within'"]);
  });

  it('goes on after an option that it does not know', () => {
    expect(read('-vZV', '--bogus=1', '-v')).toEqual(['verbose', "!invalid option -- 'Z'", 'version', "!unrecognized option '--bogus'", 'verbose']);
  });

  it('says which value is missing or too much', () => {
    expect(read('-m')).toEqual(["!option requires an argument -- 'm'"]);
    expect(read('--meth')).toEqual(["!option '--method' requires an argument"]);
    expect(read('--verbose=1')).toEqual(["!option '--verbose' doesn't allow an argument"]);
  });

  it('finds options behind other words, and none behind --', () => {
    expect(read('a', '-v', '-', '--', '-V', '--')).toEqual(['"a"', 'verbose', '"-"', '"-V"', '"--"']);
  });

  it('lets a value look like an option', () => {
    expect(read('-m', '--', '-m', '-v')).toEqual(['method=--', 'method=-v']);
  });
});
