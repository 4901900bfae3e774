// SPDX-License-Identifier: Apache-2.0
/** The two agents under measurement: ours as it ships, and Debian's qemu-ga, unpacked and never installed. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { allReleases, isRelease, referenceCommand } from './references.ts';

const root = resolve(import.meta.dirname, '../..');
const cache = join(root, '.cache/bench');

export interface Contestant {
  readonly name: 'concierge-ga' | 'qemu-ga';
  /** Program and arguments in front of the agent's own. */
  readonly command: readonly string[];
}

export const ours: Contestant = { name: 'concierge-ga', command: [join(root, 'bin/concierge-ga')] };

/** The same, started by a keeper. */
export const kept: Contestant = { ...ours, command: [join(root, 'build/Release/concierge-keeper'), '--', ...ours.command] };

/** Under a keeper where `--keeper` is on the command line. */
export const oursOrKept = (): Contestant => (process.argv.includes('--keeper') ? kept : ours);

/**
 * Downloads Debian's package once and unpacks it: installing it could start it as a service. `--reference=11.1` on the command line
 * takes another release than this machine's.
 */
export function theirs(): Contestant {
  const named = process.argv.find((word) => word.startsWith('--reference='))?.slice('--reference='.length);
  if (named !== undefined) {
    if (!isRelease(named)) throw new Error(`--reference is one of ${allReleases.join(', ')}`);
    return { name: 'qemu-ga', command: referenceCommand(named) };
  }
  const unpacked = join(cache, 'qemu-ga');
  if (!existsSync(join(unpacked, 'usr/sbin/qemu-ga'))) {
    mkdirSync(unpacked, { recursive: true });
    for (const name of ['qemu-guest-agent', 'liburing2']) {
      execFileSync('apt-get', ['download', name], { cwd: cache, stdio: 'ignore' });
      const archive = readdirSync(cache).find((file) => file.startsWith(`${name}_`) && file.endsWith('.deb'));
      if (archive === undefined) throw new Error(`apt-get download ${name} brought nothing`);
      execFileSync('dpkg', ['-x', archive, unpacked], { cwd: cache });
    }
  }
  const loader = '/lib64/ld-linux-x86-64.so.2';
  const libraries = join(unpacked, 'usr/lib/x86_64-linux-gnu');
  const system = execFileSync('ldconfig', ['-p'], { encoding: 'utf8' }).includes('liburing.so.2');
  const program = join(unpacked, 'usr/sbin/qemu-ga');
  return { name: 'qemu-ga', command: system ? [program] : [loader, '--library-path', libraries, program] };
}

/** The measuring host. */
export const loadProgram = (): string => cProgram('load');

/** Compiles a program of this folder. */
export function cProgram(name: string, ...flags: string[]): string {
  const program = join(cache, name);
  mkdirSync(cache, { recursive: true });
  execFileSync('gcc', ['-O2', '-o', program, join(import.meta.dirname, `${name}.c`), ...flags]);
  return program;
}

export interface Memory {
  /** KiB each, from smaps_rollup. */
  readonly rss: number;
  readonly pss: number;
  readonly anonymous: number;
}

/** An agent that runs on a socket in a directory of its own. */
export class RunningAgent {
  readonly contestant: Contestant;
  readonly socket: string;
  readonly directory: string;
  readonly #process: ChildProcess;

  private constructor(contestant: Contestant, directory: string, process: ChildProcess) {
    this.contestant = contestant;
    this.directory = directory;
    this.socket = join(directory, 'socket');
    this.#process = process;
  }

  static arguments(directory: string): string[] {
    return ['-m', 'unix-listen', '-p', join(directory, 'socket'), '-t', directory];
  }

  static async start(contestant: Contestant): Promise<RunningAgent> {
    const directory = mkdtempSync(join(tmpdir(), 'bench-agent-'));
    const [program, ...rest] = [...contestant.command, ...RunningAgent.arguments(directory)];
    const child = spawn(program ?? '', rest, { stdio: ['ignore', 'ignore', 'inherit'] });
    const agent = new RunningAgent(contestant, directory, child);
    while (!existsSync(agent.socket)) {
      if (child.exitCode !== null) throw new Error(`${contestant.name} ended with ${child.exitCode}`);
      await new Promise((done) => setTimeout(done, 5));
    }
    return agent;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  memory(): Memory {
    const text = readFileSync(`/proc/${this.pid}/smaps_rollup`, 'utf8');
    const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? Number.NaN);
    return { rss: field('Rss'), pss: field('Pss'), anonymous: field('Anonymous') };
  }

  /** Peak resident memory in KiB since the last `resetPeak`. */
  peak(): number {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1] ?? Number.NaN);
  }

  resetPeak(): void {
    execFileSync('sh', ['-c', `echo 5 > /proc/${this.pid}/clear_refs`]);
  }

  /** Context switches of all threads so far. */
  switches(): number {
    let sum = 0;
    for (const task of readdirSync(`/proc/${this.pid}/task`)) {
      const status = readFileSync(`/proc/${this.pid}/task/${task}/status`, 'utf8');
      for (const [, count] of status.matchAll(/ctxt_switches:\s+(\d+)/g)) sum += Number(count);
    }
    return sum;
  }

  /** Nanoseconds that its threads have run so far, those that have ended not included. */
  processorTime(): number {
    let sum = 0;
    for (const task of readdirSync(`/proc/${this.pid}/task`)) {
      sum += Number(readFileSync(`/proc/${this.pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]);
    }
    return sum;
  }

  async stop(): Promise<void> {
    const ended = new Promise((done) => this.#process.once('exit', done));
    if (this.#process.exitCode === null) {
      this.#process.kill('SIGTERM');
      await ended;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
