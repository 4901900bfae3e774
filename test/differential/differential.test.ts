// SPDX-License-Identifier: Apache-2.0
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allReleases, findReference } from '../../bench/lib/references.ts';
import { AgentProcess } from '../wire/lib/agent-process.ts';
import { repository } from '../wire/lib/build.ts';
import type { LineClient } from '../wire/lib/line-client.ts';
import { blockList, ownCommand } from './agents.ts';
import { compare } from './comparison.ts';
import { Random } from './random.ts';
import { captureModes, olderCaptureModes, sequenceOf, walk, type Actor } from './sequences.ts';

/** Of this run: `CONCIERGE_SEED` repeats an earlier one, `CONCIERGE_CASES` says how long it goes on. */
const seed = Number(process.env['CONCIERGE_SEED'] ?? Date.now() % 0x7fffffff);
const cases = Number(process.env['CONCIERGE_CASES'] ?? 20_000);
const sequences = Math.ceil(cases / 500);
const freezes = Math.ceil(cases / 2000);

const isRoot = process.getuid?.() === 0;
const newest = '11.1';
const lacks = [
  ...(isRoot ? [] : ['root']),
  ...['unshare', 'pivot_root', 'losetup', 'mkfs.ext4', 'mkfs.btrfs'].filter((program) => spawnSync('which', [program]).status !== 0),
  ...(existsSync('/dev/loop-control') ? [] : ['loop devices']),
].join(', ');

describe.each(allReleases)(`beside Debian's qemu-ga %s (CONCIERGE_SEED=${seed})`, (release) => {
  const reference = findReference(release);
  const obstacle = typeof reference === 'string' ? ` (${reference})` : '';
  const theirs = typeof reference === 'string' ? [] : reference.command;

  describe.skipIf(obstacle !== '')(`on the same bytes${obstacle}`, () => {
    const agents: AgentProcess[] = [];
    const clients: LineClient[] = [];

    beforeAll(async () => {
      for (const command of [ownCommand, theirs]) agents.push(await AgentProcess.start({ command, words: blockList }));
      clients.push(...(await Promise.all(agents.map((agent) => agent.connect()))));
    });

    afterAll(async () => {
      for (const client of clients) client.close();
      for (const agent of agents) await agent.stop();
    });

    it(`answers ${cases} generated cases the same, or as docs/differences.md says`, async () => {
      const [ours, other] = clients as [LineClient, LineClient];

      const outcome = await compare(ours, [{ name: release, client: other, isNewest: release === newest }], seed, cases);

      console.log(`beside ${release}: ${outcome.cases} cases, seed ${seed}; rows that were needed: ${JSON.stringify(Object.fromEntries(outcome.rows))}`);
      expect(outcome.deviation).toBeUndefined();
    });
  });

  it.skipIf(obstacle !== '')(`answers ${sequences} sequences about files and programs the same${obstacle}`, async () => {
    for (let i = 0; i < sequences; i += 1) {
      const agents = await Promise.all([ownCommand, theirs].map((command) => AgentProcess.start({ command })));
      const actors = await Promise.all(agents.map(async (agent): Promise<Actor> => ({ client: await agent.connect(), directory: agent.directory, pids: [] })));

      const steps = sequenceOf(new Random(seed + i), release === '7.2' ? olderCaptureModes : captureModes);
      const deviation = await walk(steps, ...(actors as [Actor, Actor]), release === newest);

      for (const { client } of actors) client.close();
      for (const agent of agents) await agent.stop();
      expect(deviation === undefined ? undefined : { seed: seed + i, ...deviation }).toBeUndefined();
    }
  });

  it.skipIf(obstacle !== '' || lacks !== '')(`freezes and thaws the same, in ${freezes} sequences${obstacle}${lacks === '' ? '' : ` (needs ${lacks})`}`, async () => {
    const words = ['--mount', '--propagation', 'private', 'sh', join(repository, 'test/system/lib/enter.sh'), repository, process.execPath];
    const script = [join(repository, 'test/differential/freezes.ts'), String(seed), String(freezes), release, ...theirs];

    const { stdout } = await promisify(execFile)('unshare', [...words, ...script], { timeout: 240_000 });

    expect(JSON.parse(stdout)).toEqual([]);
  });
});
