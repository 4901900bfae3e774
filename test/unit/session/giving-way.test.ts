// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { settled } from '../../../adapters/fake/clock.ts';
import { FakeLog } from '../../../adapters/fake/log.ts';
import { createFakeMachine } from '../../../adapters/fake/machine.ts';
import { FakeStateStore } from '../../../adapters/fake/state-store.ts';
import { FakeTransport } from '../../../adapters/fake/transport.ts';
import { Agent } from '../../../core/agent.ts';
import { nobody, PresentHost } from '../../../core/state/caller.ts';
import { handlers } from '../../../core/commands/index.ts';

async function conversation() {
  const machine = createFakeMachine();
  const agent = new Agent({ backend: machine.backend, handlers, freeze: undefined, log: new FakeLog(), stateStore: new FakeStateStore(), lists: { allow: [], block: [] }, version: '1' });
  const transport = new FakeTransport();
  await transport.open((connection) => agent.serve(connection));
  const host = transport.connect();
  const other = transport.connect();
  const ask = (name: string, args: object = {}, end = host): void => end.send(`${JSON.stringify({ execute: name, arguments: args })}\n`);
  ask('__org.concierge_exec-start', { path: '/bin/cat', stdin: 'open', lifetime: 'connection' });
  const { return: { program } } = JSON.parse(await host.nextLine()) as { return: { program: number } };
  return { machine, agent, host, other, ask, program, wait: () => ask('__org.concierge_exec-exchange', { program, 'wait-ms': 10_000 }) };
}

describe('an exchange that waits', () => {
  it('is answered as soon as its host sends another request, and that is answered next', async () => {
    const { host, ask, wait } = await conversation();
    wait();
    await settled();

    ask('guest-ping');

    expect(await host.nextLine()).toContain('"exited": false');
    expect(await host.nextLine()).toBe('{"return": {}}');
  });

  it('is answered at once where the other request came with it', async () => {
    const { host, program } = await conversation();

    host.send(`${JSON.stringify({ execute: '__org.concierge_exec-exchange', arguments: { program, 'wait-ms': 10_000 } })}\n{"execute": "guest-ping"}\n`);

    expect(await host.nextLine()).toContain('"exited": false');
    expect(await host.nextLine()).toBe('{"return": {}}');
  });

  it('is not ended by white space', async () => {
    const { host, ask, wait } = await conversation();
    wait();
    await settled();

    for (const space of ['\n', ' \r\n', '\n\n']) host.send(space);
    await settled();

    expect(host.received).toHaveLength(1);
    ask('guest-ping');
    expect(await host.nextLine()).toContain('"exited": false');
    expect(await host.nextLine()).toBe('{"return": {}}');
  });

  it('keeps no other host waiting', async () => {
    const { other, ask, wait } = await conversation();
    wait();
    await settled();

    ask('guest-ping', {}, other);

    expect(await other.nextLine()).toBe('{"return": {}}');
  });

  it('ends, and the program is hung up, when the host leaves or another takes its place', async () => {
    for (const leave of ['close', 'change'] as const) {
      const { agent, host, wait, machine } = await conversation();
      wait();
      await settled();

      if (leave === 'close') host.close();
      else host.changeHost();
      await settled();

      expect(machine.processes.list.map(({ end }) => end)).toEqual([{ signal: 1 }]);
      expect(agent.underWay).toBe(0);
    }
  });
});

describe('an agent that stops', () => {
  it('hangs up what runs', async () => {
    const { agent, machine } = await conversation();

    await agent.stop();
    await settled();

    expect(machine.processes.list.map(({ end }) => end)).toEqual([{ signal: 1 }]);
  });
});

describe('a host', () => {
  it('tells once that it leaves, and nobody who does not want to know any more', () => {
    const host = new PresentHost();
    const told: string[] = [];
    host.whenGone(() => told.push('one'));
    host.whenGone(() => told.push('two'))();
    host.giveWay(() => told.push('waiting'));
    const stale = host.giveWay(() => told.push('waiting still'));

    host.leave();
    host.leave();
    stale();

    expect(told).toEqual(['waiting still', 'one']);
    expect(host.isGone).toBe(true);
  });

  it('that is nobody never leaves', () => {
    const told: string[] = [];
    nobody.whenGone(() => told.push('gone'))();
    nobody.giveWay(() => told.push('more'))();

    expect(told).toEqual([]);
  });
});
