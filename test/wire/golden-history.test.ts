// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { loadGolden, type GoldenExchange, type GoldenLine } from './golden.ts';

const texts: readonly (readonly [RegExp, string])[] = [
  [/"desc": "\d+:\d+: JSON/g, '"desc": "JSON'],
  [/missing : in object pair/g, "expecting ':'"],
  [/expected separator in dict/g, "expected ',' or '}'"],
  [/expected separator in list/g, "expected ',' or ']'"],
  [/key is not a string in object/g, 'expecting key'],
];

/** What differs from one run of the same program to the next. */
const volatile: readonly (readonly [RegExp, string])[] = [
  [/\b\d{2}:\d{2}:\d{2}\.\d{3}\b/g, 'CLOCK'], [/process:\d+/g, 'process:N'], [/"pid": \d+/g, '"pid": N'], [/\b1[78]\d{8}\.\d{6}/g, 'TIME'],
  [/10\.2\.50/g, 'VERSION'], [/tmp[a-z0-9_]{8}/g, 'SCRATCH'], [/\$EXE/g, 'qemu-ga'],
];

const written = (line: GoldenLine, replaced: typeof texts): string =>
  replaced.reduce((text, [pattern, by]) => text.replace(pattern, by), typeof line === 'string' ? line : JSON.stringify(line));

const answers = ({ responses, after_ping, after_sync }: GoldenExchange, replaced: typeof texts): unknown =>
  [responses, after_ping, after_sync].map((lines) => lines?.map((line) => written(line, replaced)));

const groups = ['args', 'cli', 'dispatch', 'file', 'freeze', 'lifecycle', 'limits', 'numbers', 'parse', 'rpcs', 'users'];

/** Where 10.2 answered otherwise than 11.1, and not only in the wording of an error: nothing else may. */
const changed: Readonly<Record<string, string>> = {
  'parse/trailing-comma-object': 'expecting key', 'parse/leading-comma-object': 'expecting key', 'parse/double-comma': 'expecting key',
  'parse/key-unquoted': 'expecting key', 'dispatch/id-on-parse-error': 'expecting key',
  'parse/depth-1025': 'one error', 'parse/depth-2000': 'one error', 'parse/depth-2000-open-only': 'one error', 'parse/depth-1025-objects': 'one error',
  'limits/string-64MiB': 'one error', 'limits/tokens-over-2Mi': 'one error',
  'lifecycle/partial request, then new connection': 'told at once', 'lifecycle/stderr with -v: connect, ping, exec': 'lengths of process numbers',
};

describe('the recordings of qemu-ga 10.2, which are history', () => {
  it.each(groups)('%s: the same requests, and the same answers where the newer release did not change them', (group) => {
    const newer = new Map(loadGolden(group).map((one) => [one.name, one]));
    const replaced = [...texts, ...volatile];

    const older = loadGolden(group, { release: '10.2' });

    expect(older.map(({ name }) => name)).toEqual([...newer.keys()]);
    const different = older.filter((one) => {
      const other = newer.get(one.name);
      return other === undefined || JSON.stringify(answers(one, replaced)) !== JSON.stringify(answers(other, replaced));
    });
    expect(different.map(({ name }) => `${group}/${name}`)).toEqual(Object.keys(changed).filter((key) => key.startsWith(`${group}/`)));
  });
});
