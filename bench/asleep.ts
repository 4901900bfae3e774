// SPDX-License-Identifier: Apache-2.0
/**
 * What an agent under a keeper costs while it sleeps, and what a wake costs, beside a bare start of the same Node:
 * `node bench/asleep.ts [turns] [--reference=11.1]`. First the memory of an
 * agent that sleeps, of one that is awake, and of `qemu-ga`, for bench/plot.ts too. Each turn: the agent sleeps, a client asks guest-ping, `node -e 0` runs. Minima and medians.
 */
import { spawnSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { ours, RunningAgent, theirs } from './lib/agents.ts';
import { median } from './lib/median.ts';

const root = join(import.meta.dirname, '..');
const node = join(root, 'node_modules/node/bin/node');
const turns = Number(process.argv.slice(2).find((word) => !word.startsWith('--')) ?? 20);
const directory = mkdtempSync(join(tmpdir(), 'bench-asleep-'));
const socket = join(directory, 's');
const ticksPerSecond = 100;

const keeper = spawn(
  join(root, 'build/Release/concierge-keeper'),
  ['--', join(root, 'bin/concierge-ga'), '-m', 'unix-listen', '-p', socket, '-t', directory, '--sleep-after=1'],
  { stdio: ['ignore', 'ignore', 'inherit'], env: { PATH: process.env['PATH'], QGA_CONF: '/nowhere' } },
);
const pid = keeper.pid ?? 0;

const isAsleep = (): boolean => readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim() === '';

async function asleep(): Promise<void> {
  while (!isAsleep()) await wait(20);
}

/** Processor time of the keeper and of all its agents so far, in milliseconds: all of a turn, its start, answer and sleep. */
function processorTime(): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
  return (fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0) * 1000) / ticksPerSecond;
}

/** Milliseconds until the answer is there. */
async function ask(): Promise<number> {
  const began = performance.now();
  const client = connect(socket);
  await new Promise<void>((resolve, reject) => {
    client.once('error', reject);
    client.once('data', () => resolve());
    client.write('{"execute": "guest-ping"}\n');
  });
  const took = performance.now() - began;
  client.destroy();
  return took;
}

function bareNode(): { readonly wall: number; readonly processor: number } {
  const began = performance.now();
  const children = (): number => {
    const fields = readFileSync('/proc/self/stat', 'latin1').split(') ')[1]?.split(' ') ?? [];
    return ((Number(fields[13]) + Number(fields[14])) * 1000) / ticksPerSecond;
  };
  const processor = children();
  spawnSync(node, ['-e', '0'], { env: { PATH: process.env['PATH'] } });
  return { wall: performance.now() - began, processor: children() - processor };
}

try {
  for (let patience = 200; ; patience -= 1) {
    try {
      await ask();
      break;
    } catch (error) {
      if (patience === 0) throw error;
      await wait(50);
    }
  }
  await asleep();
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  const mib = (name: string): string => (Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(rollup)?.[1]) / 1024).toFixed(2);
  console.log(`asleep, MiB: RSS ${mib('Rss')}, PSS ${mib('Pss')}, anonymous ${mib('Anonymous')}`);

  const awake: Record<string, ReturnType<RunningAgent['memory']>> = {};
  for (const contestant of [ours, theirs()]) {
    const agent = await RunningAgent.start(contestant);
    // V8 tidies its heap once, some eight seconds after the start.
    await wait(12_000);
    awake[contestant.name] = agent.memory();
    await agent.stop();
  }
  for (const [name, { rss, pss, anonymous }] of Object.entries(awake)) {
    console.log(`${name} awake, MiB: RSS ${(rss / 1024).toFixed(2)}, PSS ${(pss / 1024).toFixed(2)}, anonymous ${(anonymous / 1024).toFixed(2)}`);
  }

  const answers: number[] = [];
  const bare: number[] = [];
  let wakes = 0;
  let starts = 0;
  for (let turn = 0; turn < turns; turn += 1) {
    const before = processorTime();
    answers.push(await ask());
    await asleep();
    wakes += processorTime() - before;
    const { wall, processor } = bareNode();
    bare.push(wall);
    starts += processor;
  }
  const ratio = (one: number, other: number): string => (one / other).toFixed(2);
  const [least, leastBare] = [Math.min(...answers), Math.min(...bare)];
  console.log(`first answer when asleep, ms: least ${least.toFixed(1)}, median ${median(answers).toFixed(1)}`);
  console.log(`node -e 0, ms: least ${leastBare.toFixed(1)}, median ${median(bare).toFixed(1)}`);
  console.log(`ratio: ${ratio(least, leastBare)} of the least, ${ratio(median(answers), median(bare))} of the medians`);
  console.log(`processor time of a wake, its answer and the next sleep: ${(wakes / turns).toFixed(1)} ms, ${ratio(wakes, starts)} × node -e 0 (${(starts / turns).toFixed(1)} ms)`);
  mkdirSync(join(root, 'bench/results'), { recursive: true });
  const kilobytes = (name: string): number => Number(mib(name)) * 1024;
  const memory = { ...awake, asleep: { rss: kilobytes('Rss'), pss: kilobytes('Pss'), anonymous: kilobytes('Anonymous') } };
  writeFileSync(join(root, 'bench/results/footprint.json'), JSON.stringify({ unit: 'KiB', date: new Date().toISOString().slice(0, 10), memory }, undefined, 2));
} finally {
  keeper.kill();
  rmSync(directory, { recursive: true, force: true });
}
