// SPDX-License-Identifier: Apache-2.0
/**
 * Freezing: Concierge against Debian's `qemu-ga`, in turn, on ext4 in files on a disk of this machine. `node
 * bench/freeze.ts [--quick] [--keeper] [--reference=11.1] [--only=warm]`, as root. With `--keeper` three take turns: Concierge by itself,
 * under a keeper, and `qemu-ga`. Runs in a mount namespace of its own and names what is to be frozen, so that nothing of the
 * machine's is. Says what it ran on, for that decides: on a machine whose grace periods take long FIFREEZE waits for them,
 * elsewhere for nothing. Writes all samples to `bench/results/freeze.json`.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cProgram, kept, ours, RunningAgent, theirs } from './lib/agents.ts';

/** Milliseconds that the host waits between the freeze's answer and the thaw. */
const hold = 200;
/** Where everything is mounted; nothing outside is ever named to an agent. */
const lab = '/media';

interface Samples {
  readonly freeze: number[];
  readonly thaw: number[];
  readonly stall: number[];
  readonly undisturbed: number[];
}

interface Scenario {
  readonly name: string;
  readonly mode: 'cold' | 'warm' | 'load';
  readonly fileSystems: number;
  readonly rounds: number;
}

const quick = process.argv.includes('--quick');
/** Each is done by either agent in turn, so often. */
const turns = quick ? 2 : 5;
const only = process.argv.find((word) => word.startsWith('--only='))?.slice('--only='.length);
const scenarios: readonly Scenario[] = ([
  ...[1, 8, 32].map((fileSystems): Scenario => ({ name: `cold, ${fileSystems}`, mode: 'cold', fileSystems, rounds: 4 })),
  ...[1, 8, 32].map((fileSystems): Scenario => ({ name: `warm, ${fileSystems}`, mode: 'warm', fileSystems, rounds: 8 })),
  { name: 'under load, 8', mode: 'load', fileSystems: 8, rounds: 6 },
] satisfies readonly Scenario[]).filter(({ mode }) => only === undefined || mode === only);

function makeFileSystems(images: string, count: number): string[] {
  if (readFileSync('/proc/self/mountinfo', 'utf8').includes(' shared:')) throw new Error('this is no private mount namespace');
  execFileSync('mount', ['-t', 'tmpfs', 'lab', lab]);
  return Array.from({ length: count }, (_, index) => {
    const image = join(images, `image${index}`);
    const mountPoint = join(lab, `disk${index}`);
    closeSync(openSync(image, 'w'));
    truncateSync(image, 64 * 1024 * 1024);
    mkdirSync(mountPoint);
    execFileSync('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=0,nodiscard', image]);
    execFileSync('mount', ['-o', 'loop', image, mountPoint]);
    return mountPoint;
  });
}

async function take(program: string, agent: RunningAgent, { mode, rounds }: Scenario, mountPoints: readonly string[]): Promise<Samples> {
  const words = [agent.socket, mode, String(rounds), String(mode === 'load' ? hold : 0), ...mountPoints];
  const { stdout } = await promisify(execFile)(program, words);
  return JSON.parse(stdout) as Samples;
}

/** The place in a sorted list; 0 is the least. */
const quantile = (values: readonly number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN;

const ms = (ns: number): string => (ns / 1e6).toFixed(2).padStart(9);

/** A column for each contestant in each group; ratios above 1: ours is better. */
function print(label: string, samples: readonly (readonly number[])[], target = ''): void {
  const reference = samples.at(-1) ?? [];
  const cells = [0, 0.5, 0.9].map((q) => samples.map((values) => ms(quantile(values, q))).join(''));
  const ratios = samples.slice(0, -1).map((values) =>
    [0, 0.5].map((q) => (quantile(reference, q) / quantile(values, q)).toFixed(2)).join(' / ').padStart(14));
  console.log(`${label.padEnd(32)}${cells.join('  ')}  ${ratios.join('')}  ${target}`);
}

interface Machine {
  readonly hz: number;
  readonly spawn: readonly number[];
  readonly cold: readonly number[];
  readonly warm: readonly number[];
}

/** A freeze as the first request of an agent that sleeps under its keeper, and a bare start of the same Node beside it. */
async function firstRequests(program: string, mountPoint: string): Promise<{ readonly freeze: readonly number[]; readonly thaw: readonly number[]; readonly node: readonly number[] }> {
  const agent = await RunningAgent.start({ ...kept, command: [...kept.command, '--fsfreeze-exclude=/', '--hook-directory=', '--sleep-after=1'] });
  const isAsleep = (): boolean => readFileSync(`/proc/${agent.pid}/task/${agent.pid}/children`, 'latin1').trim() === '';
  const taken = { freeze: [] as number[], thaw: [] as number[], node: [] as number[] };
  try {
    for (let round = 0; round < (quick ? 4 : 12); round += 1) {
      while (!isAsleep()) await setTimeout(20);
      const { freeze, thaw } = await take(program, agent, { name: '', mode: 'warm', fileSystems: 1, rounds: 1 }, [mountPoint]);
      taken.freeze.push(...freeze);
      taken.thaw.push(...thaw);
      const began = process.hrtime.bigint();
      spawnSync(join(import.meta.dirname, '../node_modules/node/bin/node'), ['-e', '0'], { env: { PATH: process.env['PATH'] } });
      taken.node.push(Number(process.hrtime.bigint() - began));
    }
  } finally {
    await agent.stop();
  }
  const told = (values: readonly number[]): string => `${ms(quantile(values, 0)).trim()} / ${ms(quantile(values, 0.5)).trim()}`;
  const ratio = [0, 0.5].map((q) => (quantile(taken.freeze, q) / quantile(taken.node, q)).toFixed(2)).join(' / ');
  console.log(`first request of a sleeping agent, least / median ms: freeze of 1 ${told(taken.freeze)}, its thaw ${told(taken.thaw)}, node -e 0 ${told(taken.node)}: ${ratio} of it`);
  return taken;
}

const switchPath = '/sys/kernel/rcu_expedited';
const expedited = (): string => readFileSync(switchPath, 'latin1').trim();
const load = (): string => loadavg().map((value) => value.toFixed(1)).join(' ');

async function tellMachine(program: string, mountPoint: string): Promise<Machine> {
  const { stdout } = await promisify(execFile)(program, ['-', 'machine', quick ? '4' : '12', '0', mountPoint]);
  const machine = JSON.parse(stdout) as Machine;
  const told = (values: readonly number[]): string => `${ms(quantile(values, 0)).trim()} / ${ms(quantile(values, 0.5)).trim()}`;
  console.log(`Linux ${release()}, HZ ${machine.hz}, ${cpus().length} processors (${cpus()[0]?.model ?? 'unknown'}), rcu_expedited ${expedited()}, load ${load()}`);
  console.log(`least / median ms: bare FIFREEZE cold ${told(machine.cold)}, right after ${told(machine.warm)}; posix_spawn of true ${told(machine.spawn)}`);
  return machine;
}

async function measure(): Promise<void> {
  const images = mkdtempSync(join(tmpdir(), 'bench-freeze-'));
  const before = expedited();
  const mountPoints = makeFileSystems(images, 32);
  // The agents' state lies on a tmpfs, as it does in /run.
  process.env['TMPDIR'] = lab;
  const program = cProgram('freeze-load', '-lpthread');
  const fenced = ({ name, command }: typeof ours): typeof ours => ({ name, command: [...command, '--fsfreeze-exclude=/', '--hook-directory='] });
  const contestants = process.argv.includes('--keeper') ? [fenced(ours), fenced(kept), theirs()] : [fenced(ours), theirs()];
  const labels = contestants.length === 3 ? 'ours, kept, qemu-ga' : 'ours, qemu-ga';
  const agents: RunningAgent[] = [];
  const all: Record<string, Readonly<Record<string, Samples>>> = {};
  const kinds = ['freeze', 'thaw', 'stall', 'undisturbed'] as const;
  const [first = lab] = mountPoints;
  let machine: Machine | undefined;
  let asleep: Awaited<ReturnType<typeof firstRequests>> | undefined;
  try {
    machine = await tellMachine(program, first);
    for (const contestant of contestants) agents.push(await RunningAgent.start(contestant));
    console.log(`milliseconds, of each group ${labels}: least; median; 90 %; then ratios of the least / of the medians (above 1: faster than qemu-ga)`);
    for (const scenario of scenarios) {
      const wanted = mountPoints.slice(0, scenario.fileSystems);
      const samples = contestants.map((): Samples => ({ freeze: [], thaw: [], stall: [], undisturbed: [] }));
      for (let turn = 0; turn < turns; turn += 1) {
        for (const [index, agent] of agents.entries()) {
          const taken = await take(program, agent, scenario, wanted);
          for (const kind of kinds) samples[index]?.[kind].push(...taken[kind]);
        }
      }
      const of = (kind: typeof kinds[number]): number[][] => samples.map((its) => its[kind]);
      all[scenario.name] = Object.fromEntries(samples.map((its, index) => [['ours', 'kept'][index < contestants.length - 1 ? index : 2] ?? 'theirs', its]));
      print(`${scenario.name}: freeze`, of('freeze'), scenario.name === 'cold, 32' ? 'target >= 8' : '');
      print(`${scenario.name}: thaw`, of('thaw'));
      if (scenario.mode !== 'load') continue;
      print(`${scenario.name}: stall`, of('stall'), 'target >= 4');
      print(`${scenario.name}: (longest before)`, of('undisturbed'));
    }
    if (contestants.length === 3 && only === undefined) asleep = await firstRequests(program, first);
  } finally {
    for (const agent of agents) await agent.stop();
    for (const mountPoint of mountPoints) spawnSync('fsfreeze', ['--unfreeze', mountPoint], { stdio: 'ignore' });
    for (const mountPoint of mountPoints) spawnSync('umount', [mountPoint]);
    rmSync(images, { recursive: true });
    console.log(`load ${load()} at the end, rcu_expedited ${expedited()}`);
    if (expedited() !== before) {
      console.log(`rcu_expedited was ${before}: it is put back`);
      writeFileSync(switchPath, `${before}\n`);
      process.exitCode = 1;
    }
  }
  const results = resolve(import.meta.dirname, 'results');
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, 'freeze.json'), `${JSON.stringify({ unit: 'ns', processor: cpus()[0]?.model, cores: cpus().length, machine, hold, all, asleep })}\n`);
}

if (process.getuid?.() !== 0) {
  console.log('bench/freeze.ts: left out, for freezing needs root');
} else if (process.argv.includes('--inside')) {
  await measure();
} else {
  const words = ['--mount', '--propagation', 'private', process.execPath, ...process.argv.slice(1), '--inside'];
  process.exitCode = spawnSync('unshare', words, { stdio: 'inherit' }).status ?? 1;
}
