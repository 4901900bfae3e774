// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const folder = new URL('../../../adapters/windows/', import.meta.url);
const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).map((name) => readFileSync(new URL(name, folder), 'utf8'));

interface Declared {
  readonly name: string;
  readonly typescript: string;
  readonly c: string;
}

/** Every function of a DLL, as the compiler has it and as koffi has it. */
const declared: readonly Declared[] = sources.flatMap((text) =>
  [...text.matchAll(/^ {2}(\w+): prototype<(.+)>\(\s*'([^']+)'\)/gm)].map(([, name = '', typescript = '', c = '']) => ({ name, typescript, c })));

/** At commas and bars that are in no brackets. */
const parts = (text: string, at: ',' | '|'): readonly string[] =>
  (text.trim() === '' ? [] : text.split(at === ',' ? /,(?![^<]*>)/ : /\|(?![^<]*>)/).map((part) => part.trim()));

/** What may be given for a parameter of C. */
const fitting: readonly (readonly [c: RegExp, typescript: RegExp])[] = [
  [/^u?int(?:8|16|32)_t$|^int$/, /^number$/],
  [/^u?int64_t$/, /^bigint$|^Pointer$/],
  [/^size_t$/, /^bigint$|^number$/],
  [/^str(?:16)?$/, /^string$|^null$/],
  [/^void \*$/, /^Pointer$|^bigint$|^Buffer$|^Uint8Array$|^Memory$|^null$/],
  [/^void \*\*$/, /^Out<Pointer \| null>$|^null$/],
  [/^u?int(?:16|32)_t \*$|^int \*$/, /^Out<number>$|^null$/],
  [/^u?int64_t \*$/, /^Out<(?:bigint|Pointer)>$|^null$/],
];

const fits = (c: string, typescript: string): boolean =>
  parts(typescript, '|').every((one) => fitting.some(([wanted, given]) => wanted.test(c) && given.test(one)));

function parametersOf({ typescript, c }: Declared): { readonly mine: readonly string[]; readonly theirs: readonly string[]; readonly results: readonly [c: string, typescript: string] } {
  const [, list = '', result = ''] = /^\((.*)\) => (.+)$/.exec(typescript) ?? [];
  const [, itsResult = '', itsList = ''] = /^(.*?)\s*__stdcall\s+\w+\((.*)\)$/.exec(c) ?? [];
  return { mine: parts(list, ','), theirs: parts(itsList, ',').filter((one) => one !== 'void'), results: [itsResult, result] };
}

describe('functions of DLLs, for the compiler and for koffi, which passes over an argument too many and cuts a number', () => {
  it('are all found', () => {
    const words = sources.join('\n').match(/\bprototype<\(/g) ?? [];

    expect(declared).toHaveLength(words.length);
    expect(declared.length).toBeGreaterThan(100);
  });

  it.each(declared)('$name has the same parameters in the same order, of types that fit', (one) => {
    const { mine, theirs, results } = parametersOf(one);

    expect(mine.map((parameter) => parameter.split(':')[0])).toEqual(theirs.map((parameter) => /\w+$/.exec(parameter)?.[0]));
    for (const [index, parameter] of mine.entries()) {
      const c = (theirs[index] ?? '').replace(/^_\w+_\s+/, '').replace(/\w+$/, '').trim();
      expect(fits(c, parameter.slice(parameter.indexOf(':') + 1).trim()), `${parameter} for ${theirs[index]}`).toBe(true);
    }
    expect(results[0] === results[1] || fits(results[0], results[1]), `${results[1]} for ${results[0]}`).toBe(true);
  });
});
