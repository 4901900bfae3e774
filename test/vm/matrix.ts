// SPDX-License-Identifier: Apache-2.0
/**
 * Runs files of this suite for pairs of host and guest, one machine at a time, and writes docs/compatibility.md:
 * `node test/vm/matrix.ts [--pairs=trixie-backports+7.3,trixie+6.12] [--files=channels,libvirt]`. What has been run before stays
 * in test/vm/results; with `--pairs=` nothing is run and the page is written anew.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { compatibilityPage, type Cell, type Result } from './lab/compatibility.ts';
import { guests, hosts, theOne } from './lab/pair.ts';

const repository = resolve(import.meta.dirname, '../..');
const results = join(import.meta.dirname, 'results');

const all = Object.keys(hosts).flatMap((host) => Object.keys(guests).map((guest) => `${host}+${guest}`));
const { values } = parseArgs({ options: { pairs: { type: 'string', default: all.join(',') }, files: { type: 'string', default: 'reference-agent,channels,libvirt,package-freeze,file-systems' } } });
const words = (text: string): string[] => text.split(',').filter((word) => word !== '');

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string; readonly failureMessages?: readonly string[] }[];
  }[];
}

for (const pair of words(values.pairs)) {
  const [host = '', guest = ''] = pair.split('+');
  theOne('host', hosts, host);
  theOne('guest', guests, guest);
  for (const file of words(values.files)) note(pair, file, runFile(host, guest, file));
}
writeFileSync(join(repository, 'docs/compatibility.md'), compatibilityPage(readdirSync(results).toSorted().map((name) => JSON.parse(readFileSync(join(results, name), 'utf8')) as Result)));

function runFile(host: string, guest: string, file: string): { readonly cell: Cell; readonly observations: readonly (readonly [string, string])[] } {
  const folder = mkdtempSync(join(tmpdir(), 'concierge-matrix-'));
  const report = join(folder, 'report.json');
  const observed = join(folder, 'observed');
  const env = { ...process.env, CONCIERGE_TEST_VM_OBSERVED: observed, ...(file === 'file-systems' && { CONCIERGE_TEST_VM_FILE_SYSTEMS: '1' }) };
  console.log(`== ${host} with ${guest}: ${file}`);
  spawnSync(process.execPath, [join(import.meta.dirname, 'run.ts'), `--host=${host}`, `--guest=${guest}`, `test/vm/${file}.test.ts`, '--reporter=default', '--reporter=json', `--outputFile=${report}`], { stdio: 'inherit', env, cwd: repository });
  try {
    const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
    const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
    const count = (...statuses: readonly string[]): number => tests.filter(({ status }) => statuses.includes(status)).length;
    const cell: Cell = {
      date: new Date().toISOString().slice(0, 10),
      passed: count('passed'),
      skipped: count('skipped', 'pending', 'todo'),
      failed: tests.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName),
      // A machine that did not come about is no test that failed.
      ...(testResults.some(({ status }) => status === 'failed') && count('failed') === 0 && { broken: testResults.map(({ message = '' }) => message.split('\n')[0] ?? '').join('; ') }),
    };
    const lines = existsSync(observed) ? readFileSync(observed, 'utf8').split('\n').filter((line) => line !== '') : [];
    return { cell, observations: lines.map((line) => JSON.parse(line) as [string, string]) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function note(pair: string, file: string, { cell, observations }: ReturnType<typeof runFile>): void {
  mkdirSync(results, { recursive: true });
  const path = join(results, `${basename(pair)}.json`);
  const before = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Result) : { pair, files: {}, observations: {} };
  const after: Result = { pair, files: { ...before.files, [file]: cell }, observations: { ...before.observations, ...Object.fromEntries(observations) } };
  writeFileSync(path, `${JSON.stringify(after, undefined, 2)}\n`);
}
