// SPDX-License-Identifier: Apache-2.0
import { existsSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findReference } from '../../bench/lib/references.ts';
import { AgentProcess, program } from './lib/agent-process.ts';
import { readOnly, unlisted, type Answer, type Ask } from './lib/beside.ts';
import type { LineClient } from './lib/line-client.ts';

const isRoot = process.getuid?.() === 0;
const nobody = { uid: 65534, gid: 65534 };

const roles = isRoot
  ? [{ role: 'root' }, { role: 'an ordinary user', user: nobody }]
  : [{ role: 'an ordinary user' }];

const virtioScsi = '/sys/bus/virtio/drivers/virtio_scsi';
const hasVirtioScsi = existsSync(virtioScsi) && readdirSync(virtioScsi).some((name) => /^virtio\d/.test(name));

const references = (['7.2', '11.1'] as const).map((release) => {
  const found = findReference(release);
  return { release, command: typeof found === 'string' ? undefined : found.command, obstacle: typeof found === 'string' ? ` (${found})` : '' };
});

describe.each(references)("beside Debian's qemu-ga $release on the same machine$obstacle", ({ release, command }) => {
  describe.skipIf(command === undefined).each(roles)('as $role', ({ user }) => {
    const agents: AgentProcess[] = [];
    let ours: LineClient;
    let reference: LineClient;

    beforeAll(async () => {
      for (const one of [[program], command ?? []]) agents.push(await AgentProcess.start({ command: one, ...(user === undefined ? {} : { user }) }));
      [ours, reference] = (await Promise.all(agents.map((agent) => agent.connect()))) as [LineClient, LineClient];
    });

    afterAll(async () => {
      ours.close();
      reference.close();
      for (const agent of agents) await agent.stop();
    });

    const asker = (client: LineClient): Ask => async (execute) => JSON.parse(await client.ask(`{"execute":"${execute}"}\n`)) as Answer;

    it.each(readOnly)('%s answers the same, or as the table of differences says', async (execute) => {
      const asked = { ours: asker(ours), reference: asker(reference), hasVirtioScsi, isNewest: release === '11.1' };

      expect(await unlisted(execute, asked)).toEqual([]);
    });
  });
});
