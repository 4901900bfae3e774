// SPDX-License-Identifier: Apache-2.0
/**
 * Processor time of both agents for one request each, the kernel's share included: what a noisy machine can't blur, as it
 * does with latencies. `node bench/cpu.ts [WORD…]` measures only what has one of the words in its name.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadProgram, ours, RunningAgent, theirs } from './lib/agents.ts';

const run = promisify(execFile);
const MiB = 1024 * 1024;
const words = process.argv.slice(2);
const rounds = 5;

const load = loadProgram();
const scratch = mkdtempSync(join(tmpdir(), 'bench-data-'));
const source = join(scratch, 'source');
writeFileSync(source, Buffer.alloc(48 * MiB, 'the quick brown fox'));
const target = join(scratch, 'target');

const call = (count: number, execute: string): Workload => ({ count, words: ['call', String(count), `{"execute":"${execute}"}\n`] });
const read = (piece: number): Workload => ({ count: (48 * MiB) / piece, words: ['read', source, String(piece)] });
const write = (piece: number): Workload => ({ count: (48 * MiB) / piece, words: ['write', target, String(piece), String(48 * MiB)] });

interface Workload {
  readonly count: number;
  readonly words: readonly string[];
}

const workloads: Readonly<Record<string, Workload>> = {
  'guest-ping': { count: 5000, words: ['ping', '5000'] },
  'guest-ping, bursts of 100': { count: 20000, words: ['burst', '200', '100'] },
  'guest-network-get-interfaces': call(1000, 'guest-network-get-interfaces'),
  'guest-get-osinfo': call(2000, 'guest-get-osinfo'),
  'guest-get-fsinfo': call(1000, 'guest-get-fsinfo'),
  'guest-get-disks': call(500, 'guest-get-disks'),
  'guest-get-vcpus': call(2000, 'guest-get-vcpus'),
  'guest-get-host-name': call(2000, 'guest-get-host-name'),
  'guest-exec true': { count: 200, words: ['exec', '200', '{"execute":"guest-exec","arguments":{"path":"true"}}\n'] },
  'guest-file-read, 48 KiB': read(48 * 1024),
  'guest-file-read, 1 MiB': read(MiB),
  'guest-file-read, 16 MiB': read(16 * MiB),
  'guest-file-write, 48 KiB': write(48 * 1024),
  'guest-file-write, 1 MiB': write(MiB),
  'guest-file-write, 16 MiB': write(16 * MiB),
};

const pair = [await RunningAgent.start(ours), await RunningAgent.start(theirs())] as const;
console.log(`${'microseconds of processor time (wall clock)'.padEnd(44)} ${'ours'.padStart(20)} ${'qemu-ga'.padStart(20)}    ratio`);
try {
  for (const [name, workload] of Object.entries(workloads)) {
    if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
    const least = [
      { cpu: Infinity, wall: Infinity },
      { cpu: Infinity, wall: Infinity },
    ];
    for (let round = 0; round < rounds; round += 1) {
      for (const [index, agent] of pair.entries()) {
        const before = agent.processorTime();
        const { stdout } = await run(load, [agent.socket, ...workload.words], { maxBuffer: MiB });
        const cpu = (agent.processorTime() - before) / workload.count / 1e3;
        const { total, median } = JSON.parse(stdout) as { total?: number; median?: number };
        const wall = (total === undefined ? (median ?? 0) : total / workload.count) / 1e3;
        const best = least[index];
        if (best === undefined) continue;
        best.cpu = Math.min(best.cpu, cpu);
        best.wall = Math.min(best.wall, wall);
      }
    }
    const [mine, reference] = least.map(({ cpu, wall }) => `${cpu.toFixed(1)} (${wall.toFixed(1)})`.padStart(20));
    console.log(`${name.padEnd(44)} ${mine} ${reference} ${((least[1]?.wall ?? 0) / (least[0]?.wall ?? 1)).toFixed(2).padStart(7)}x`);
  }
} finally {
  for (const agent of pair) await agent.stop();
  rmSync(scratch, { recursive: true, force: true });
}
