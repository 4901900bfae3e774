// SPDX-License-Identifier: Apache-2.0
/**
 * Every command that only reads, as hosts use an agent and as a benchmark does: the first ten requests after the start, and
 * after three thousand; both agents in turn. Median, 99 % and processor time of each, in microseconds, and what ours is of
 * the reference's. `node bench/facts.ts [--reference=11.1] [--rounds=9]`.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadProgram, ours, RunningAgent, theirs, type Contestant } from './lib/agents.ts';
import { median } from './lib/median.ts';

const run = promisify(execFile);
const option = (name: string, otherwise: number): number =>
  Number(process.argv.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? otherwise);
const rounds = option('rounds', 9);
const first = 10;
const warm = option('warm', 3000);
const afterWarm = 300;
/** What changes nothing and needs no argument. */
const isFact = /^guest-(?:ping|info|fsfreeze-status|get-[a-z-]+|network-get-[a-z-]+)$/;

const load = loadProgram();

interface Figures {
  readonly median: number;
  readonly p99: number;
  readonly processor: number;
}

/** Microseconds each, of `count` requests one after the other. */
async function ask(agent: RunningAgent, execute: string, count: number): Promise<Figures> {
  const before = agent.processorTime();
  const { stdout } = await run(load, [agent.socket, 'call', String(count), `{"execute":"${execute}"}\n`]);
  const { median: middle = Number.NaN, p99 = Number.NaN } = JSON.parse(stdout) as { median?: number; p99?: number };
  return { median: middle / 1e3, p99: p99 / 1e3, processor: (agent.processorTime() - before) / count / 1e3 };
}

/** The facts that an agent has here, by its own word. */
async function factsOf(contestant: Contestant): Promise<readonly string[]> {
  const agent = await RunningAgent.start(contestant);
  try {
    const { connect } = await import('node:net');
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      const host = connect(agent.socket, () => host.write('{"execute":"guest-info"}\n'));
      host.setEncoding('utf8');
      host.on('error', reject);
      host.on('data', (piece: string) => {
        text += piece;
        if (!text.endsWith('\n')) return;
        host.destroy();
        resolve(text);
      });
    });
    const { return: info } = JSON.parse(answer) as { return: { supported_commands: { name: string; enabled: boolean }[] } };
    return info.supported_commands.filter(({ name, enabled }) => enabled && isFact.test(name)).map(({ name }) => name).toSorted();
  } finally {
    await agent.stop();
  }
}

const contestants = [ours, theirs()] as const;
const facts = await Promise.all(contestants.map(factsOf));
const shared = facts[0]?.filter((name) => facts[1]?.includes(name)) ?? [];
const figures = new Map<string, Figures[]>();
const note = (key: string, value: Figures): void => void figures.set(key, [...(figures.get(key) ?? []), value]);

for (let round = 0; round < rounds; round += 1) {
  for (const contestant of contestants) {
    const agent = await RunningAgent.start(contestant);
    for (const name of shared) note(`${contestant.name} ${name} first`, await ask(agent, name, first));
    await agent.stop();
  }
}
const pair = [await RunningAgent.start(ours), await RunningAgent.start(contestants[1])] as const;
for (const name of shared) {
  for (const agent of pair) await ask(agent, name, warm);
  for (let round = 0; round < rounds; round += 1) {
    for (const agent of pair) note(`${agent.contestant.name} ${name} after`, await ask(agent, name, afterWarm));
  }
}
for (const agent of pair) await agent.stop();

/** What the rounds come to, for the table and for bench/plot.ts. */
const summary = Object.fromEntries(shared.map((name) => [name, Object.fromEntries((['first', 'after'] as const).map((when) => [when, contestants.map((contestant) => {
  const all = figures.get(`${contestant.name} ${name} ${when}`) ?? [];
  return { median: median(all.map((each) => each.median)), p99: median(all.map(({ p99 }) => p99)), processor: median(all.map(({ processor }) => processor)) };
})]))]));

console.log(`medians of ${rounds} rounds in microseconds: median / 99 % / processor time of one request; ratio: ours of the reference's`);
console.log(`${''.padEnd(32)} ${'first ten: ours'.padStart(20)} ${'qemu-ga'.padStart(20)} ${'ratio'.padStart(12)}   ${`after ${warm}: ours`.padStart(20)} ${'qemu-ga'.padStart(20)} ${'ratio'.padStart(12)}`);
for (const name of shared) {
  const columns = ['first', 'after'].map((when) => {
    const [mine, reference] = (summary[name]?.[when] ?? []).map((its) => [its.median, its.p99, its.processor]);
    const cell = (values: readonly number[] = []): string => values.map((value) => value.toFixed(0)).join(' / ').padStart(20);
    const ratios = [0, 2].map((index) => ((mine?.[index] ?? Number.NaN) / (reference?.[index] ?? Number.NaN)).toFixed(2)).join(' / ');
    return `${cell(mine)} ${cell(reference)} ${ratios.padStart(12)}`;
  });
  console.log(`${name.padEnd(32)} ${columns.join('   ')}`);
}

const results = join(import.meta.dirname, 'results');
mkdirSync(results, { recursive: true });
writeFileSync(join(results, 'facts.json'), JSON.stringify({ unit: 'µs', date: new Date().toISOString().slice(0, 10), rounds, warm, load: loadavg(), summary }, undefined, 2));
