// SPDX-License-Identifier: Apache-2.0
/**
 * Freezing: Concierge against Debian's `qemu-ga`, in turn, on ext4 in files on a disk of this machine. `node
 * bench/freeze.ts [--quick] [--keeper] [--reference=11.1]`, as root. Runs in a mount namespace of its own and names what is to be
 * frozen, so that nothing of the machine's is. Writes all samples to `bench/results/freeze.json`.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { cProgram, oursOrKept, RunningAgent, theirs } from './lib/agents.ts';

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
const scenarios: readonly Scenario[] = [
  ...[1, 8, 32].map((fileSystems): Scenario => ({ name: `cold, ${fileSystems}`, mode: 'cold', fileSystems, rounds: 4 })),
  ...[1, 8, 32].map((fileSystems): Scenario => ({ name: `warm, ${fileSystems}`, mode: 'warm', fileSystems, rounds: 8 })),
  { name: 'under load, 8', mode: 'load', fileSystems: 8, rounds: 6 },
];

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

const quantile = (values: readonly number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN;

const ms = (ns: number): string => (ns / 1e6).toFixed(2).padStart(9);

function print(label: string, mine: readonly number[], reference: readonly number[], target = ''): void {
  const cells = [0.5, 0.9, 1].map((q) => ms(quantile(mine, q)) + ms(quantile(reference, q)));
  const ratio = quantile(reference, 0.5) / quantile(mine, 0.5);
  console.log(`${label.padEnd(34)} ${cells.join('   ')}   ${ratio.toFixed(2).padStart(6)}x  ${target}`);
}

async function measure(): Promise<void> {
  const images = mkdtempSync(join(tmpdir(), 'bench-freeze-'));
  const mountPoints = makeFileSystems(images, 32);
  // The agents' state lies on a tmpfs, as it does in /run.
  process.env['TMPDIR'] = lab;
  const program = cProgram('freeze-load', '-lpthread');
  const fenced = { ...oursOrKept(), command: [...oursOrKept().command, '--fsfreeze-exclude=/', '--hook-directory='] };
  const agents = [await RunningAgent.start(fenced), await RunningAgent.start(theirs())] as const;
  const all: Record<string, { readonly ours: Samples; readonly theirs: Samples }> = {};
  const kinds = ['freeze', 'thaw', 'stall', 'undisturbed'] as const;
  try {
    console.log(`${'milliseconds'.padEnd(34)} ${'median: ours, qemu-ga   90 %: ours, qemu-ga   longest: ours, qemu-ga'.padEnd(60)}   ratio of medians`);
    for (const scenario of scenarios) {
      const wanted = mountPoints.slice(0, scenario.fileSystems);
      const [mine, reference] = agents.map((): Samples => ({ freeze: [], thaw: [], stall: [], undisturbed: [] }));
      if (mine === undefined || reference === undefined) continue;
      for (let turn = 0; turn < turns; turn += 1) {
        for (const [agent, samples] of [[agents[0], mine], [agents[1], reference]] as const) {
          const taken = await take(program, agent, scenario, wanted);
          for (const kind of kinds) samples[kind].push(...taken[kind]);
        }
      }
      all[scenario.name] = { ours: mine, theirs: reference };
      print(`${scenario.name}: freeze`, mine.freeze, reference.freeze, scenario.name === 'cold, 32' ? 'target >= 8' : '');
      print(`${scenario.name}: thaw`, mine.thaw, reference.thaw);
      if (scenario.mode !== 'load') continue;
      print(`${scenario.name}: stall`, mine.stall, reference.stall, 'target >= 4');
      print(`${scenario.name}: (longest before)`, mine.undisturbed, reference.undisturbed);
    }
  } finally {
    for (const agent of agents) await agent.stop();
    for (const mountPoint of mountPoints) spawnSync('fsfreeze', ['--unfreeze', mountPoint], { stdio: 'ignore' });
    for (const mountPoint of mountPoints) spawnSync('umount', [mountPoint]);
    rmSync(images, { recursive: true });
  }
  const results = resolve(import.meta.dirname, 'results');
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, 'freeze.json'), `${JSON.stringify({ unit: 'ns', processor: cpus()[0]?.model, cores: cpus().length, hold, all })}\n`);
}

if (process.getuid?.() !== 0) {
  console.log('bench/freeze.ts: left out, for freezing needs root');
} else if (process.argv.includes('--inside')) {
  await measure();
} else {
  const words = ['--mount', '--propagation', 'private', process.execPath, ...process.argv.slice(1), '--inside'];
  process.exitCode = spawnSync('unshare', words, { stdio: 'inherit' }).status ?? 1;
}
