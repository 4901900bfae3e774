// SPDX-License-Identifier: Apache-2.0
/** Keeps what a run of the suite has shown in test/vm/results, and writes docs/compatibility.md from all that is there. */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { compatibilityPage, type Cell, type Result } from './compatibility.ts';

const results = resolve(import.meta.dirname, '../results');
const page = resolve(import.meta.dirname, '../../../docs/compatibility.md');

/** What vitest's reporter `json` writes, as far as it counts here. */
export interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

export interface Run {
  /** Host and guest, with a plus between. */
  readonly pair: string;
  /** Whether agents had a keeper. */
  readonly isKept: boolean;
  readonly date: string;
  readonly report: Report;
  /** Lines of observed.ts. */
  readonly observed: string;
}

/** What a pair has shown so far, with a run more: each file of it takes the place of what it showed before. */
export function withRun(before: Result | undefined, { pair, isKept, date, report, observed }: Run): Result {
  const { files = {}, kept, observations } = before ?? {};
  const seen = Object.fromEntries(report.testResults.map((result) => [basename(result.name, '.test.ts'), cellOf(result, date)]));
  const lines = observed.split('\n').filter((line) => line !== '');
  return {
    pair,
    files: isKept ? files : { ...files, ...seen },
    ...((isKept || kept !== undefined) && { kept: isKept ? { ...kept, ...seen } : kept }),
    observations: { ...observations, ...Object.fromEntries(lines.map((line) => JSON.parse(line) as [string, string])) },
  };
}

function cellOf({ status, message = '', assertionResults }: Report['testResults'][number], date: string): Cell {
  const count = (...statuses: readonly string[]): number => assertionResults.filter((test) => statuses.includes(test.status)).length;
  return {
    date,
    passed: count('passed'),
    skipped: count('skipped', 'pending', 'todo'),
    failed: assertionResults.filter((test) => test.status === 'failed').map(({ fullName }) => fullName),
    // A machine that did not come about is no test that failed.
    ...(status === 'failed' && count('failed') === 0 && { broken: message.split('\n')[0] ?? '' }),
  };
}

export function record(run: Run): void {
  mkdirSync(results, { recursive: true });
  const path = join(results, `${run.pair}.json`);
  const before = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Result) : undefined;
  writeFileSync(path, `${JSON.stringify(withRun(before, run), undefined, 2)}\n`);
}

export const recordedResults = (): readonly Result[] => readdirSync(results).toSorted().map((name) => JSON.parse(readFileSync(join(results, name), 'utf8')) as Result);

export const writePage = (): void => writeFileSync(page, compatibilityPage(recordedResults()));
