// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { explainingRows } from '../differential/explanation.ts';
import { differences } from './differences.ts';
import { goldenGroups, loadGolden } from './golden.ts';
import { repository } from './lib/build.ts';

interface Row {
  readonly anchor: string;
  readonly cells: readonly string[];
}

/** Rows of the tables of docs/differences.md: each begins with its anchor. */
const rows: readonly Row[] = readFileSync(join(repository, 'docs/differences.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| <a '))
  .map((line) => ({
    anchor: /^\| <a id="([a-z0-9-]+)"><\/a>/.exec(line)?.[1] ?? '',
    cells: line.slice(1, -1).split(' | ').map((cell) => cell.replace(/^\s*<a [^>]*><\/a>/, '').trim()),
  }));

/** Groups that a test replays: stateless.test.ts, one of the group's name, or test/system/freeze-golden.test.ts. */
const replayed = ['args', 'cli', 'commands', 'dispatch', 'exec', 'file', 'freeze', 'lifecycle', 'limits', 'numbers', 'parse', 'rpcs', 'users'];

describe('docs/differences.md', () => {
  it('says what, what here, what there and why in every row', () => {
    expect(rows.filter(({ anchor, cells }) => anchor === '' || cells.length !== 4 || cells.includes(''))).toEqual([]);
  });

  it('has every anchor once', () => {
    const anchors = rows.map(({ anchor }) => anchor);

    expect(anchors.filter((anchor, i) => anchors.indexOf(anchor) !== i)).toEqual([]);
  });

  it('has a row for each difference that a test knows of', () => {
    const known = new Set(rows.map(({ anchor }) => anchor));

    expect(Object.entries(differences).filter(([, { row }]) => !known.has(row)).map(([key, { row }]) => `${key}: ${row}`)).toEqual([]);
    expect(explainingRows.filter((row) => !known.has(row))).toEqual([]);
  });
});

describe('the table of differences', () => {
  it('names only recordings that exist, and comparisons with an agent beside', () => {
    const names = new Set(goldenGroups().flatMap((group) => loadGolden(group)).map(({ group, name }) => `${group}/${name}`));

    expect(Object.keys(differences).filter((key) => !names.has(key) && !key.startsWith('differential/'))).toEqual([]);
  });

  it('lists nothing that is as recorded', () => {
    const recordings = new Map(goldenGroups().flatMap((group) => loadGolden(group)).map((one) => [`${one.group}/${one.name}`, one.responses]));

    const same = Object.entries(differences).filter(([key, { responses }]) => responses !== undefined && JSON.stringify(responses) === JSON.stringify(recordings.get(key)));
    expect(same.map(([key]) => key)).toEqual([]);
  });
});

describe('the recordings', () => {
  it('are all replayed', () => {
    expect(goldenGroups()).toEqual(replayed);
  });
});
