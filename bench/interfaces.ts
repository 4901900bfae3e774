// SPDX-License-Identifier: Apache-2.0
/**
 * guest-network-get-interfaces with a thousand pairs of veth, each with an address of IPv4 and one of IPv6: Concierge
 * against Debian's `qemu-ga`, in turn. `node bench/interfaces.ts [PAIRS]`, as root; in a network namespace of its own.
 * Writes `bench/results/interfaces.json`.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { loadProgram, ours, RunningAgent, theirs } from './lib/agents.ts';

const run = promisify(execFile);
const inNamespace = 'CONCIERGE_BENCH_NETWORK';
const pairs = Number(process.argv[2] ?? 1000);
const calls = 20;

if (process.env[inNamespace] === undefined) {
  const { status } = spawnSync('unshare', ['--net', process.execPath, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [inNamespace]: '1' },
  });
  process.exit(status ?? 1);
}

const lines = ['link set lo up'];
for (let pair = 0; pair < pairs; pair += 1) {
  lines.push(
    `link add v${pair} type veth peer name w${pair}`,
    `addr add 10.${pair >> 8}.${pair & 255}.1/24 dev v${pair}`,
    `addr add fd00:${pair.toString(16)}::1/64 dev v${pair} nodad`,
  );
}
execFileSync('ip', ['-batch', '-'], { input: lines.join('\n') });

interface Figures {
  readonly median: number;
  readonly minimum: number;
  readonly size: number;
}

const load = loadProgram();
const figures: Record<string, Figures[]> = {};
for (const contestant of [ours, theirs()]) {
  const agent = await RunningAgent.start(contestant);
  try {
    const rounds: Figures[] = [];
    for (let round = 0; round < 3; round += 1) {
      const { stdout } = await run(load, [agent.socket, 'call', String(calls), '{"execute":"guest-network-get-interfaces"}\n']);
      rounds.push(JSON.parse(stdout) as Figures);
    }
    figures[contestant.name] = rounds;
    const best = Math.min(...rounds.map(({ median }) => median));
    console.log(`${contestant.name.padEnd(14)} ${2 * pairs + 1} interfaces: ${(best / 1e6).toFixed(1)} ms, ${((rounds[0]?.size ?? 0) / 1024).toFixed(0)} KiB of answer`);
  } finally {
    await agent.stop();
  }
}
const results = resolve(import.meta.dirname, 'results');
mkdirSync(results, { recursive: true });
writeFileSync(join(results, 'interfaces.json'), JSON.stringify({ pairs, figures }, null, 2));
