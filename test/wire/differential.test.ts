import { existsSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { theirs, type Contestant } from '../../bench/lib/agents.ts';
import { differences } from './differences.ts';
import { AgentProcess, program } from './lib/agent-process.ts';
import { farFrom } from './lib/closeness.ts';
import type { LineClient } from './lib/line-client.ts';

/** Everything that changes nothing. */
const readOnly = [
  'guest-ping', 'guest-info', 'guest-get-time', 'guest-network-get-interfaces', 'guest-network-get-route', 'guest-get-vcpus', 'guest-get-disks',
  'guest-get-fsinfo', 'guest-get-memory-blocks', 'guest-get-memory-block-info', 'guest-get-host-name', 'guest-get-users', 'guest-get-timezone',
  'guest-get-osinfo', 'guest-get-devices', 'guest-get-diskstats', 'guest-get-cpustats', 'guest-get-load', 'guest-fsfreeze-status',
];

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

type Answer = { readonly return?: unknown; readonly error?: { readonly class: string; readonly desc: string } };

/** Where qemu-ga is known to be wrong about every disk; elsewhere these places have to be the same. */
const virtioScsi = '/sys/bus/virtio/drivers/virtio_scsi';
const hasVirtioScsi = existsSync(virtioScsi) && readdirSync(virtioScsi).some((name) => /^virtio\d/.test(name));

function isListed(execute: string, place: string): boolean {
  const difference = differences[`differential/${execute} ${place}`];
  return difference !== undefined && (difference.row !== 'virtio-scsi-address' || hasVirtioScsi);
}

const sameStructure = (one: Answer, two: Answer): boolean => JSON.stringify(one).replace(/\d+/g, '0') === JSON.stringify(two).replace(/\d+/g, '0');

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

  const ask = async (client: LineClient, execute: string): Promise<Answer> => JSON.parse(await client.ask(`{"execute":"${execute}"}\n`)) as Answer;

  it.each(readOnly)('%s answers the same, or as the table of differences says', async (execute) => {
    // The machine may change in between: other programs mount and unmount.
    for (let attempt = 1; ; attempt += 1) {
      const before = await ask(reference, execute);
      const own = await ask(ours, execute);
      const after = await ask(reference, execute);
      if (attempt < 5 && !sameStructure(before, after)) continue;

      const found = farFrom(own as never, before as never, after as never);
      expect(found.filter(({ place }) => !isListed(execute, place))).toEqual([]);
      return;
    }
  });
});
