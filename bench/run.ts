// SPDX-License-Identifier: Apache-2.0
/**
 * Concierge against Debian's `qemu-ga`, interleaved in one run: `npm run bench`. Prints a table of ratios (above 1: ours
 * is better) and writes everything to `bench/results/latest.json`. Needs gcc and Debian's package archive.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { loadProgram, ours, RunningAgent, theirs, type Contestant } from './lib/agents.ts';
import { median } from './lib/median.ts';

// From what has been measured before.
if (process.argv.includes('--plot')) {
  await import('./plot.ts');
  process.exit();
}

const run = promisify(execFile);
const quick = process.argv.includes('--quick');
const rounds = quick ? 3 : 5;
const MiB = 1024 * 1024;

interface Row {
  readonly metric: string;
  readonly unit: string;
  readonly better: 'less' | 'more';
  readonly target?: string;
  readonly ours: number[];
  readonly theirs: number[];
}

const rows: Row[] = [];

const load = loadProgram();
const reference = theirs();
const scratch = mkdtempSync(join(tmpdir(), 'bench-data-'));

async function measure(socket: string, ...words: string[]): Promise<Record<string, number>> {
  const { stdout } = await run(load, [socket, ...words], { maxBuffer: MiB });
  return JSON.parse(stdout) as Record<string, number>;
}

/** Takes a figure from both in turn, `rounds` times, and keeps all of them. */
async function compare(
  metric: string,
  unit: string,
  better: Row['better'],
  figure: (agent: RunningAgent) => Promise<number>,
  pair: readonly [RunningAgent, RunningAgent],
  target?: string,
): Promise<void> {
  const row: Row = { metric, unit, better, ...(target === undefined ? {} : { target }), ours: [], theirs: [] };
  for (let round = 0; round < rounds; round += 1) {
    row.ours.push(await figure(pair[0]));
    row.theirs.push(await figure(pair[1]));
  }
  rows.push(row);
  print(row);
}

function ratio(row: Row): number {
  return row.better === 'less' ? median(row.theirs) / median(row.ours) : median(row.ours) / median(row.theirs);
}

function print(row: Row): void {
  const number = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3)).padStart(9);
  console.log(
    `${row.metric.padEnd(44)} ${number(median(row.ours))} ${number(median(row.theirs))} ${row.unit.padEnd(5)} ${`${ratio(row).toFixed(2)}x`.padStart(8)}  ${row.target ?? ''}`,
  );
}

async function startToAnswer(contestant: Contestant): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-start-'));
  try {
    const { total } = await measure(join(directory, 'socket'), 'start', ...contestant.command, ...RunningAgent.arguments(directory));
    return (total ?? Number.NaN) / 1e6;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const request = (execute: string, args: object = {}): string => `${JSON.stringify({ execute, arguments: args })}\n`;

console.log(`${'metric (medians)'.padEnd(44)} ${'ours'.padStart(9)} ${'qemu-ga'.padStart(9)} unit     ratio  target`);

const pair = [await RunningAgent.start(ours), await RunningAgent.start(reference)] as const;
try {
  const latency = (...words: string[]) => async (agent: RunningAgent): Promise<number> => ((await measure(agent.socket, ...words)).median ?? Number.NaN) / 1e3;

  // Idle first, while nothing else has grown the heap; V8 tidies it once, some eight seconds after the start.
  const node = resolve(import.meta.dirname, '../node_modules/node/bin/node');
  const bare = execFileSync(node, ['-e', "setTimeout(()=>{const t=require('fs').readFileSync('/proc/self/smaps_rollup','utf8');console.log(/^Anonymous:\\s+(\\d+)/m.exec(t)[1])},15000)"], { encoding: 'utf8' });
  const [a, b] = [pair[0].memory(), pair[1].memory()];
  for (const kind of ['rss', 'pss', 'anonymous'] as const) {
    const row: Row = { metric: `idle ${kind}`, unit: 'MiB', better: 'less', ours: [a[kind] / 1024], theirs: [b[kind] / 1024] };
    rows.push(row);
    print(row);
  }
  console.log(`  anonymous above bare Node: ${((a.anonymous - Number(bare)) / 1024).toFixed(1)} MiB (target: at most 6)`);
  const before = pair.map((agent) => agent.switches());
  const idleSeconds = quick ? 3 : 10;
  await new Promise((done) => setTimeout(done, idleSeconds * 1000));
  const wakeups = pair.map((agent, index) => (agent.switches() - (before[index] ?? 0)) / idleSeconds);
  console.log(`  idle wakeups per second: ours ${wakeups[0]}, qemu-ga ${wakeups[1]} (target: 0)`);

  const bareStart: number[] = [];
  for (let i = 0; i < 10; i += 1) {
    const began = process.hrtime.bigint();
    execFileSync(node, ['-e', '0']);
    bareStart.push(Number(process.hrtime.bigint() - began) / 1e6);
  }
  await compare('start to first answer', 'ms', 'less', (agent) => startToAnswer(agent.contestant), pair);
  const startRatio = median(rows.at(-1)?.ours ?? []) / median(bareStart);
  console.log(`  node -e 0: ${median(bareStart).toFixed(1)} ms; start to first answer is ${startRatio.toFixed(2)} of it (target: at most 1.6)`);

  await compare('guest-ping, one at a time', 'us', 'less', latency('ping', '20000'), pair, '>= 1');
  await compare('guest-ping, one at a time, p99', 'us', 'less', async (agent) => ((await measure(agent.socket, 'ping', '20000')).p99 ?? 0) / 1e3, pair);
  await compare('guest-ping, bursts of 100', 'us', 'less', latency('burst', '500', '100'), pair, '>= 3');
  const information = ['guest-network-get-interfaces', 'guest-get-osinfo', 'guest-get-fsinfo', 'guest-get-disks', 'guest-get-vcpus', 'guest-get-host-name'];
  for (const name of information) await compare(name, 'us', 'less', latency('call', '500', request(name)), pair, '>= 1');
  await compare('guest-exec true, until seen', 'us', 'less', latency('exec', '200', request('guest-exec', { path: 'true' })), pair, '>= 1');
  await compare(
    'guest-exec, 8 MiB of output',
    'us',
    'less',
    latency('exec', '5', request('guest-exec', { path: 'head', arg: ['-c', String(8 * MiB), '/dev/zero'], 'capture-output': true })),
    pair,
    '>= 1',
  );

  const size = (quick ? 64 : 256) * MiB;
  const source = join(scratch, 'source');
  execFileSync('head', ['-c', String(size), '/dev/urandom'], { stdio: ['ignore', (await import('node:fs')).openSync(source, 'w'), 'inherit'] });
  const throughput = (...words: string[]) => async (agent: RunningAgent): Promise<number> => {
    const { bytes, total } = await measure(agent.socket, ...words);
    return (bytes ?? 0) / MiB / ((total ?? 1) / 1e9);
  };
  const pieces = [['48 KiB', 48 * 1024], ['1 MiB', MiB], ['16 MiB', 16 * MiB]] as const;
  for (const [label, piece] of pieces) {
    await compare(`guest-file-read, pieces of ${label}`, 'MiB/s', 'more', throughput('read', source, String(piece)), pair, '>= 8');
  }
  for (const [label, piece] of pieces) {
    await compare(`guest-file-write, pieces of ${label}`, 'MiB/s', 'more', throughput('write', join(scratch, 'target'), String(piece), String(quick ? 32 * MiB : size)), pair, '>= 15');
  }
} finally {
  for (const agent of pair) await agent.stop();
}

// Peak memory on fresh agents, one for each figure.
for (const [label, words] of [
  ['one read of 48 MiB', ['read', join(scratch, 'source'), String(48 * MiB)]],
  ['writes of 16 MiB', ['write', join(scratch, 'target'), String(16 * MiB), String(64 * MiB)]],
] as const) {
  const fresh = [await RunningAgent.start(ours), await RunningAgent.start(reference)] as const;
  const peaks: number[] = [];
  for (const agent of fresh) {
    await measure(agent.socket, ...words);
    peaks.push(agent.peak() / 1024);
    await agent.stop();
  }
  const row: Row = { metric: `peak memory, ${label}`, unit: 'MiB', better: 'less', ours: [peaks[0] ?? 0], theirs: [peaks[1] ?? 0], target: '>= 2' };
  rows.push(row);
  print(row);
}
rmSync(scratch, { recursive: true, force: true });

const results = resolve(import.meta.dirname, 'results');
mkdirSync(results, { recursive: true });
writeFileSync(
  join(results, 'latest.json'),
  JSON.stringify({ processor: cpus()[0]?.model, cores: cpus().length, rounds, rows: rows.map((row) => ({ ...row, ratio: ratio(row) })) }, null, 2),
);

// In processes of their own: they enter a mount namespace, and as root only.
for (const script of ['freeze.ts', 'freeze-mounts.ts']) {
  spawnSync(process.execPath, [join(import.meta.dirname, script), ...process.argv.slice(2)], { stdio: 'inherit' });
}
