// SPDX-License-Identifier: Apache-2.0
import { expect, it } from 'vitest';

import { settled } from '../../../adapters/fake/clock.ts';
import { FakeLog } from '../../../adapters/fake/log.ts';
import { createFakeMachine } from '../../../adapters/fake/machine.ts';
import type { ProgramFunction } from '../../../adapters/fake/programs.ts';
import { FakeStateStore } from '../../../adapters/fake/state-store.ts';
import { FakeTransport, type FakeHostEnd } from '../../../adapters/fake/transport.ts';
import { Agent, type FurtherChannel } from '../../../core/agent.ts';
import { handlers } from '../../../core/commands/index.ts';
import { request } from './agent-on-fake.ts';

/** Agents one after the other on one guest, each killed before the next, and a host on each of their channels. */
function guest(program: ProgramFunction) {
  const machine = createFakeMachine({ files: { '/bin/program': { program }, '/etc/hostname': 'box' } });
  const stateStore = new FakeStateStore({ bootId: machine.bootId });
  const serve = async (channels: readonly FurtherChannel[]) => {
    const agent = new Agent({ backend: machine.backend, handlers, freeze: undefined, log: new FakeLog(), stateStore, lists: { allow: [], block: [] }, version: '10.2.0', channels });
    const hosts = new Map<string, FakeHostEnd>();
    for (const name of ['', ...channels.map((channel) => channel.name)]) {
      const transport = new FakeTransport();
      await transport.open((connection) => agent.serve(connection, name === '' ? undefined : name));
      hosts.set(name, transport.connect());
    }
    const ask = async (channel: string, execute: string, args: object): Promise<unknown> => {
      const host = hosts.get(channel) as FakeHostEnd;
      host.send(request(execute, args));
      const answer = JSON.parse(await host.nextLine()) as { return?: unknown; error?: unknown };
      return answer.return ?? answer.error;
    };
    return { agent, ask };
  };
  return { machine, serve };
}

const own = (name: string): FurtherChannel => ({ name, handles: 'own' });
const unknown = { class: 'GenericError' };

it('what an earlier agent has left is named by the channel whose it was, and by no other', async () => {
  const { serve } = guest((io) => io.print('done'));
  const first = await serve([own('a'), own('b')]);
  const handle = await first.ask('a', 'guest-file-open', { path: '/etc/hostname' });
  const { pid } = (await first.ask('b', 'guest-exec', { path: '/bin/program', 'capture-output': true })) as { pid: number };
  await settled();

  const { ask } = await serve([own('b'), own('a')]);
  await settled();

  for (const channel of ['', 'b']) expect(await ask(channel, 'guest-file-read', { handle })).toMatchObject(unknown);
  expect(await ask('a', 'guest-file-read', { handle })).toMatchObject({ count: 3 });
  for (const channel of ['', 'a']) expect(await ask(channel, 'guest-exec-status', { pid })).toMatchObject(unknown);
  expect(await ask('b', 'guest-exec-status', { pid })).toMatchObject({ exited: true, 'out-data': Buffer.from('done').toString('base64') });
});

it('what a channel that is no more has left is closed and forgotten, and nobody can name it', async () => {
  const { machine, serve } = guest((io) => io.print('done'));
  const first = await serve([own('a')]);
  const handle = await first.ask('a', 'guest-file-open', { path: '/etc/hostname' });
  const { pid } = (await first.ask('a', 'guest-exec', { path: '/bin/program', 'capture-output': true })) as { pid: number };
  await settled();

  const { agent, ask } = await serve([own('b')]);
  await settled();

  for (const channel of ['', 'b']) {
    expect(await ask(channel, 'guest-file-close', { handle })).toMatchObject(unknown);
    expect(await ask(channel, 'guest-exec-status', { pid })).toMatchObject(unknown);
  }
  expect(agent.isQuiet).toBe(true);
  expect(machine.backend.fileSystem?.files?.left?.()).toEqual([]);
  expect(machine.backend.processes?.left?.()).toEqual([]);
});

it('what a channel with shared handles has left is that of the first one', async () => {
  const { serve } = guest(() => 3);
  const first = await serve([{ name: 'a', handles: 'shared' }]);
  const handle = await first.ask('a', 'guest-file-open', { path: '/etc/hostname' });

  const { ask } = await serve([own('a')]);

  expect(await ask('a', 'guest-file-read', { handle })).toMatchObject(unknown);
  expect(await ask('', 'guest-file-read', { handle })).toMatchObject({ count: 3 });
});
