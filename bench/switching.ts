// SPDX-License-Identifier: Apache-2.0
/**
 * guest-set-memory-blocks and guest-set-vcpus with long lists, and how long a ping of another host takes meanwhile.
 * `node bench/switching.ts`, as root. The agent runs in a mount namespace in which a tmpfs stands in for
 * /sys/devices/system: nothing of the machine is switched. Writes `bench/results/switching.json`; ends with 1 where 8192
 * blocks take 100 ms or a ping beside them 50 ms.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { ours, RunningAgent } from './lib/agents.ts';
import { median } from './lib/median.ts';

const inNamespace = 'CONCIERGE_BENCH_SWITCHING';
/** A terabyte in blocks of 128 MiB. */
const blocks = 8192;
const processors = 512;
const rounds = 5;

if (process.env[inNamespace] === undefined) {
  const { status } = spawnSync('unshare', ['--mount', process.execPath, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [inNamespace]: '1' },
  });
  process.exit(status ?? 1);
}
if (readFileSync('/proc/self/mountinfo', 'utf8').includes(' shared:')) throw new Error('this is no private mount namespace');

const system = '/sys/devices/system';
execFileSync('mount', ['-t', 'tmpfs', 'bench', system]);
for (let block = 0; block < blocks; block += 1) {
  mkdirSync(`${system}/memory/memory${block}`, { recursive: true });
  writeFileSync(`${system}/memory/memory${block}/state`, 'online\n');
  writeFileSync(`${system}/memory/memory${block}/removable`, '1\n');
}
for (let processor = 0; processor < processors; processor += 1) {
  mkdirSync(`${system}/cpu/cpu${processor}`, { recursive: true });
  writeFileSync(`${system}/cpu/cpu${processor}/online`, '1\n');
}

class Host {
  readonly #socket: Socket;
  #text = '';
  #waiting: ((line: string) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.#text += text;
      const end = text.indexOf('\n') < 0 ? -1 : this.#text.indexOf('\n');
      if (end < 0) return;
      const line = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 1);
      this.#waiting?.(line);
    });
  }

  static to(path: string): Promise<Host> {
    return new Promise((done) => {
      const socket = connect(path, () => done(new Host(socket)));
    });
  }

  ask(request: string): Promise<string> {
    return new Promise((done) => {
      this.#waiting = done;
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

const milliseconds = (since: bigint): number => Number(process.hrtime.bigint() - since) / 1e6;
const ping = '{"execute":"guest-ping"}\n';

const memoryBlocks = (count: number, of: number, online: boolean): string =>
  `${JSON.stringify({ execute: 'guest-set-memory-blocks', arguments: { 'mem-blks': Array.from({ length: count }, (_, i) => ({ 'phys-index': i % of, online })) } })}\n`;
const virtualProcessors = (count: number, online: boolean): string =>
  `${JSON.stringify({ execute: 'guest-set-vcpus', arguments: { vcpus: Array.from({ length: count }, (_, i) => ({ 'logical-id': i % processors, online })) } })}\n`;

const workloads: readonly { readonly name: string; readonly requests: readonly string[]; readonly answers: string }[] = [
  { name: '8192 blocks, on line already', requests: [memoryBlocks(blocks, blocks, true)], answers: '"success"' },
  { name: '8192 blocks, off and on', requests: [memoryBlocks(blocks, blocks, false), memoryBlocks(blocks, blocks, true)], answers: '"success"' },
  { name: '200 000 blocks that are not there', requests: [memoryBlocks(200_000, 200_000, true).replaceAll('"phys-index":', '"phys-index":9')], answers: '"not-found"' },
  { name: '512 processors, off and on', requests: [virtualProcessors(processors, false), virtualProcessors(processors, true)], answers: '{"return": 512}' },
  { name: '200 000 processors, on line already', requests: [virtualProcessors(200_000, true)], answers: '{"return": 200000}' },
];

const agent = await RunningAgent.start(ours);
const figures: Record<string, { readonly ms: number[]; readonly processorMs: number[]; readonly longestPingMs: number[] }> = {};
try {
  const [busy, other] = [await Host.to(agent.socket), await Host.to(agent.socket)];
  for (let warm = 0; warm < 2000; warm += 1) await other.ask(ping);
  for (const { name, requests, answers } of workloads) {
    const ms: number[] = [];
    const processorMs: number[] = [];
    const longestPingMs: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      for (const request of requests) {
        const state = { working: true };
        let longest = 0;
        const before = agent.processorTime();
        const began = process.hrtime.bigint();
        const answer = busy.ask(request).then((line) => {
          state.working = false;
          ms.push(milliseconds(began));
          if (!line.includes(answers)) throw new Error(`${name}: ${line.slice(0, 200)}`);
        });
        while (state.working) {
          const asked = process.hrtime.bigint();
          await other.ask(ping);
          longest = Math.max(longest, milliseconds(asked));
        }
        await answer;
        processorMs.push((agent.processorTime() - before) / 1e6);
        longestPingMs.push(longest);
      }
    }
    figures[name] = { ms, processorMs, longestPingMs };
    console.log(
      `${name.padEnd(38)} ${median(ms).toFixed(1).padStart(8)} ms (minimum ${Math.min(...ms).toFixed(1)}, processor ${Math.min(...processorMs).toFixed(1)}); ping of another host at most `
      + `${median(longestPingMs).toFixed(1)} ms (worst of ${longestPingMs.length}: ${Math.max(...longestPingMs).toFixed(1)})`,
    );
  }
  busy.close();
  other.close();
} finally {
  await agent.stop();
}
const results = resolve(import.meta.dirname, 'results');
mkdirSync(results, { recursive: true });
writeFileSync(join(results, 'switching.json'), JSON.stringify(figures, null, 2));
const target = figures[workloads[0]?.name ?? ''];
if (target === undefined || Math.min(...target.ms) >= 100 || Math.min(...target.longestPingMs) >= 50) process.exitCode = 1;
