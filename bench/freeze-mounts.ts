// SPDX-License-Identifier: Apache-2.0
/**
 * Freezing one file system among many mounts: Concierge against Debian's `qemu-ga`, in turn. `node bench/freeze-mounts.ts
 * [--quick] [--keeper] [--reference=11.1]`, as root. In a mount namespace of its own, half of the mounts are bind mounts of the
 * file system that is frozen, half are file systems in memory. Prints minima (the machine's other work only ever adds) and medians of freeze,
 * thaw and both together, and writes all samples to `bench/results/freeze-mounts.json`.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { cProgram, oursOrKept, RunningAgent, theirs } from './lib/agents.ts';

const lab = '/media';
const quick = process.argv.includes('--quick');
const turns = quick ? 4 : 12;
const rounds = 8;
/** Mounts that are added to what the namespace has. */
const added = [0, 1000, 3000];

interface Samples {
  readonly freeze: number[];
  readonly thaw: number[];
}

function makeFileSystem(images: string): string {
  if (readFileSync('/proc/self/mountinfo', 'utf8').includes(' shared:')) throw new Error('this is no private mount namespace');
  execFileSync('mount', ['-t', 'tmpfs', 'lab', lab]);
  const image = join(images, 'image');
  const mountPoint = join(lab, 'disk');
  closeSync(openSync(image, 'w'));
  truncateSync(image, 64 * 1024 * 1024);
  mkdirSync(mountPoint);
  execFileSync('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=0,nodiscard', image]);
  execFileSync('mount', ['-o', 'loop', image, mountPoint]);
  return mountPoint;
}

function addMounts(mountPoint: string, from: number, to: number): void {
  execFileSync('sh', ['-c', `cd ${lab}; for i in $(seq ${from + 1} ${to}); do mkdir m$i
    if [ $((i % 2)) = 0 ]; then mount --bind ${mountPoint} m$i; else mount -t tmpfs -o size=4k none m$i; fi; done`]);
}

const countMounts = (): number => readFileSync('/proc/self/mountinfo', 'utf8').trim().split('\n').length;
const least = (values: readonly number[]): number => Math.min(...values);
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
const both = ({ freeze, thaw }: Samples): number[] => freeze.map((took, index) => took + (thaw[index] ?? 0));
const ms = (ns: number): string => (ns / 1e6).toFixed(2).padStart(8);

async function measure(): Promise<void> {
  const images = mkdtempSync(join(tmpdir(), 'bench-freeze-mounts-'));
  const mountPoint = makeFileSystem(images);
  process.env['TMPDIR'] = lab;
  const program = cProgram('freeze-load', '-lpthread');
  const agents = [await RunningAgent.start({ ...oursOrKept(), command: [...oursOrKept().command, '--fsfreeze-exclude=/', '--hook-directory='] }), await RunningAgent.start(theirs())] as const;
  const all: { readonly mounts: number; readonly ours: Samples; readonly theirs: Samples }[] = [];
  try {
    console.log(`${'milliseconds'.padEnd(24)} minimum: ours, qemu-ga   median: ours, qemu-ga`);
    let made = 0;
    for (const count of added) {
      addMounts(mountPoint, made, count);
      made = count;
      const samples = agents.map((): Samples => ({ freeze: [], thaw: [] }));
      for (let turn = 0; turn < turns; turn += 1) {
        for (const [index, agent] of agents.entries()) {
          const { stdout } = await promisify(execFile)(program, [agent.socket, 'warm', String(rounds), '0', mountPoint]);
          const taken = JSON.parse(stdout) as Samples;
          samples[index]?.freeze.push(...taken.freeze);
          samples[index]?.thaw.push(...taken.thaw);
        }
      }
      const [mine = { freeze: [], thaw: [] }, reference = { freeze: [], thaw: [] }] = samples;
      const mounts = countMounts();
      all.push({ mounts, ours: mine, theirs: reference });
      for (const [kind, of] of [['freeze', (s: Samples) => s.freeze], ['thaw', (s: Samples) => s.thaw], ['both', both]] as const) {
        const [a, b] = [of(mine), of(reference)];
        console.log(`${`${mounts} mounts: ${kind}`.padEnd(24)} ${ms(least(a))}${ms(least(b))}         ${ms(median(a))}${ms(median(b))}`);
      }
    }
  } finally {
    for (const agent of agents) await agent.stop();
    spawnSync('fsfreeze', ['--unfreeze', mountPoint], { stdio: 'ignore' });
    spawnSync('umount', ['--recursive', '--lazy', lab]);
    rmSync(images, { recursive: true });
  }
  const results = resolve(import.meta.dirname, 'results');
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, 'freeze-mounts.json'), `${JSON.stringify({ unit: 'ns', processor: cpus()[0]?.model, cores: cpus().length, all })}\n`);
}

if (process.getuid?.() !== 0) {
  console.log('bench/freeze-mounts.ts: left out, for freezing needs root');
} else if (process.argv.includes('--inside')) {
  await measure();
} else {
  const words = ['--mount', '--propagation', 'private', process.execPath, ...process.argv.slice(1), '--inside'];
  process.exitCode = spawnSync('unshare', words, { stdio: 'inherit' }).status ?? 1;
}
