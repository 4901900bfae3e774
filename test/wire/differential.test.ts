// SPDX-License-Identifier: Apache-2.0
import { existsSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { theirs, type Contestant } from '../../bench/lib/agents.ts';
import { AgentProcess, program } from './lib/agent-process.ts';
import { readOnly, unlisted, type Answer, type Ask } from './lib/beside.ts';
import type { LineClient } from './lib/line-client.ts';

/** The other agent, or why it can't be had. */
function findOther(): Contestant | string {
  // An ordinary user's PATH lacks ldconfig, which finds its libraries.
  process.env['PATH'] = `${process.env['PATH']}:/usr/sbin:/sbin`;
  try {
    return theirs();
  } catch (error) {
    return `needs Debian's qemu-guest-agent: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`;
  }
}

const other = findOther();
const obstacle = typeof other === 'string' ? ` (${other})` : '';
const isRoot = process.getuid?.() === 0;
const nobody = { uid: 65534, gid: 65534 };

const roles = isRoot
  ? [{ role: 'root' }, { role: 'an ordinary user', user: nobody }]
  : [{ role: 'an ordinary user' }];

const virtioScsi = '/sys/bus/virtio/drivers/virtio_scsi';
const hasVirtioScsi = existsSync(virtioScsi) && readdirSync(virtioScsi).some((name) => /^virtio\d/.test(name));

describe.skipIf(typeof other === 'string').each(roles)(`as $role, beside Debian's qemu-ga on the same machine${obstacle}`, ({ user }) => {
  const agents: AgentProcess[] = [];
  let ours: LineClient;
  let reference: LineClient;

  beforeAll(async () => {
    const command = typeof other === 'string' ? [] : other.command;
    for (const one of [[program], command]) agents.push(await AgentProcess.start({ command: one, ...(user === undefined ? {} : { user }) }));
    [ours, reference] = (await Promise.all(agents.map((agent) => agent.connect()))) as [LineClient, LineClient];
  });

  afterAll(async () => {
    ours.close();
    reference.close();
    for (const agent of agents) await agent.stop();
  });

  const asker = (client: LineClient): Ask => async (execute) => JSON.parse(await client.ask(`{"execute":"${execute}"}\n`)) as Answer;

  it.each(readOnly)('%s answers the same, or as the table of differences says', async (execute) => {
    expect(await unlisted(execute, { ours: asker(ours), reference: asker(reference), hasVirtioScsi })).toEqual([]);
  });
});
