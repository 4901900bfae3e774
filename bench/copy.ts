/**
 * `concierge-ctl cp` beside what the agent and the machine give: `node bench/copy.ts [--quick] [--ours]`, against ours and, without
 * the last, Debian's `qemu-ga`. *Raw* is a host in C that does nothing with the bytes; *file in C* is one that decodes or encodes
 * them and writes or reads a file, as cp does, in one thread. The files lie in memory (/dev/shm), so that no disk is measured.
 * Needs gcc and Debian's package archive.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

import { DEFAULT_PIECE } from '../client/files.ts';
import { loadProgram, ours, RunningAgent, theirs, type Contestant } from './lib/agents.ts';

const run = promisify(execFile);
const MiB = 1024 * 1024;
const quick = process.argv.includes('--quick');
const rounds = quick ? 1 : 3;
const size = (quick ? 256 : 1024) * MiB;
const control = resolve(import.meta.dirname, '../bin/concierge-ctl');
const load = loadProgram();
const scratch = mkdtempSync('/dev/shm/bench-copy-');
const source = join(scratch, 'source');
const target = join(scratch, 'target');
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

interface Figures {
  /** MiB/s. */
  readonly speed: number;
  /** MiB at the peak. */
  readonly client?: number;
  readonly agent: number;
  /** Seconds of processor time. */
  readonly clientTime?: number;
  readonly agentTime: number;
}

/** Processor time of a process so far in seconds, its ended threads included; to a hundredth, the tick of proc(5). */
function timeOf({ pid }: RunningAgent): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

async function digest(path: string): Promise<string> {
  const hash = createHash('sha1');
  await pipeline(createReadStream(path, { highWaterMark: MiB }), hash);
  return hash.digest('hex');
}

/** With the host in C. */
async function inC(agent: RunningAgent, words: readonly string[]): Promise<Figures> {
  rmSync(target, { force: true });
  agent.resetPeak();
  const before = timeOf(agent);
  const { stdout } = await run(load, [agent.socket, ...words]);
  const { bytes, total, processor } = JSON.parse(stdout) as { readonly bytes: number; readonly total: number; readonly processor: number };
  const agentTime = timeOf(agent) - before;
  if ((words[0] === 'fetch' || words[0] === 'store') && (await digest(target)) !== expected) throw new Error(`${words[0]} changed the bytes`);
  return { speed: bytes / MiB / (total / 1e9), agent: agent.peak() / 1024, clientTime: processor / 1e6, agentTime };
}

async function copy(agent: RunningAgent, from: string, to: string): Promise<Figures> {
  rmSync(target, { force: true });
  agent.resetPeak();
  const useFile = join(scratch, 'use');
  const before = timeOf(agent);
  const began = performance.now();
  await run(control, ['--socket', agent.socket, 'cp', from, to], {
    env: { ...process.env, USE_FILE: useFile, NODE_OPTIONS: `--require ${join(import.meta.dirname, 'lib/report-use.cjs')}` },
  });
  const seconds = (performance.now() - began) / 1000;
  const agentTime = timeOf(agent) - before;
  const [peak = Number.NaN, time = Number.NaN] = readFileSync(useFile, 'utf8').split(' ').map(Number);
  if ((await digest(target)) !== expected) throw new Error(`${from} arrived changed`);
  return { speed: size / MiB / seconds, client: peak / 1024, agent: agent.peak() / 1024, clientTime: time / 1e6, agentTime };
}

const print = (name: string, cells: readonly string[]): void => console.log(`${name.padEnd(36)}${cells.map((cell) => (cell === 'NaN' ? '' : cell).padStart(12)).join('')}`);

async function contest(contestant: Contestant): Promise<void> {
  const ways: Readonly<Record<string, (agent: RunningAgent) => Promise<Figures>>> = {
    'read, raw': (agent) => inC(agent, ['read', source, String(DEFAULT_PIECE)]),
    'read, file in C': (agent) => inC(agent, ['fetch', source, String(DEFAULT_PIECE), target]),
    'cp guest:file file': (agent) => copy(agent, `guest:${source}`, target),
    'write, raw': (agent) => inC(agent, ['write', target, String(DEFAULT_PIECE), String(size)]),
    'write, file in C': (agent) => inC(agent, ['store', target, String(DEFAULT_PIECE), source]),
    'cp file guest:file': (agent) => copy(agent, source, `guest:${target}`),
  };
  for (const [name, way] of Object.entries(ways)) {
    const agent = await RunningAgent.start(contestant);
    const figures: Figures[] = [];
    try {
      for (let round = 0; round < rounds; round += 1) figures.push(await way(agent));
    } finally {
      await agent.stop();
    }
    const all = (member: keyof Figures): number[] => figures.map((one) => one[member] ?? Number.NaN);
    print(`${contestant.name}: ${name}`, [
      median(all('speed')).toFixed(0),
      Math.max(...all('client')).toFixed(0),
      Math.max(...all('agent')).toFixed(0),
      median(all('clientTime')).toFixed(2),
      median(all('agentTime')).toFixed(2),
    ]);
  }
}

let expected = '';
try {
  await pipeline(createReadStream('/dev/urandom', { end: size - 1, highWaterMark: MiB }), createWriteStream(source));
  expected = await digest(source);
  print(`${size / MiB} MiB in pieces of ${DEFAULT_PIECE / MiB} MiB, ${rounds} times`, ['MiB/s', 'client MiB', 'agent MiB', 'client s', 'agent s']);
  await contest(ours);
  if (!process.argv.includes('--ours')) await contest(theirs());
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
