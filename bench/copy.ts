// SPDX-License-Identifier: Apache-2.0
/**
 * `concierge-ctl cp` beside what the agent and the machine give: `node bench/copy.ts [--quick] [--ours]`, against ours and, without
 * the last, Debian's `qemu-ga`. *Raw* is a host in C that does nothing with the bytes; *file in C* is one that decodes or encodes
 * them and writes or reads a file, as cp does, in one thread. The files lie in memory (/dev/shm), so that no disk is measured.
 * Needs gcc and Debian's package archive.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { DEFAULT_PIECE } from '../client/piece.ts';
import { ours, RunningAgent, theirs, type Contestant } from './lib/agents.ts';
import { copyByUs, copyInC, digest, fillWithNoise, MiB, printFigures, printTitle, processorSeconds, type Copied, type Figures } from './lib/copies.ts';

const quick = process.argv.includes('--quick');
const rounds = quick ? 1 : 3;
const size = (quick ? 256 : 1024) * MiB;
const scratch = mkdtempSync('/dev/shm/bench-copy-');
const source = join(scratch, 'source');
const target = join(scratch, 'target');

const timeOf = ({ pid }: RunningAgent): number => processorSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8'));

async function measure(agent: RunningAgent, copy: () => Promise<Copied>): Promise<Figures> {
  rmSync(target, { force: true });
  agent.resetPeak();
  const before = timeOf(agent);
  const copied = await copy();
  return { ...copied, agentTime: timeOf(agent) - before, agent: agent.peak() / 1024 };
}

async function contest(contestant: Contestant): Promise<void> {
  const byUs = ({ socket }: RunningAgent, from: string, to: string): Promise<Copied> => copyByUs(socket, from, to, { bytes: size, scratch });
  const ways: Readonly<Record<string, (agent: RunningAgent) => Promise<Copied>>> = {
    'read, raw': ({ socket }) => copyInC(socket, ['read', source, String(DEFAULT_PIECE)]),
    'read, file in C': ({ socket }) => copyInC(socket, ['fetch', source, String(DEFAULT_PIECE), target]),
    'cp guest:file file': (agent) => byUs(agent, `guest:${source}`, target),
    'write, raw': ({ socket }) => copyInC(socket, ['write', target, String(DEFAULT_PIECE), String(size)]),
    'write, file in C': ({ socket }) => copyInC(socket, ['store', target, String(DEFAULT_PIECE), source]),
    'cp file guest:file': (agent) => byUs(agent, source, `guest:${target}`),
  };
  for (const [name, way] of Object.entries(ways)) {
    const agent = await RunningAgent.start(contestant);
    const figures: Figures[] = [];
    try {
      for (let round = 0; round < rounds; round += 1) {
        figures.push(await measure(agent, () => way(agent)));
        if (!name.endsWith('raw') && (await digest(target)) !== expected) throw new Error(`${name}: the file arrived changed`);
      }
    } finally {
      await agent.stop();
    }
    printFigures(`${contestant.name}: ${name}`, figures);
  }
}

let expected = '';
try {
  await fillWithNoise(source, size);
  expected = await digest(source);
  printTitle(size, rounds);
  await contest(ours);
  if (!process.argv.includes('--ours')) await contest(theirs());
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
