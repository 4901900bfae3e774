// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { FakeLog } from '../../../adapters/fake/log.ts';
import { FakeTransport, type FakeHostEnd } from '../../../adapters/fake/transport.ts';
import { createFakeMachine } from '../../../adapters/fake/machine.ts';
import { FakeStateStore } from '../../../adapters/fake/state-store.ts';
import { Agent } from '../../../core/agent.ts';
import { PreparedAnswer, type CommandHandler } from '../../../core/commands/command.ts';
import { handlers } from '../../../core/commands/index.ts';

const pingHandler = handlers.find(({ schema }) => schema.name === 'guest-ping')!;

/** guest-ping with another answer. */
const pingWith = (run: CommandHandler['run']): readonly CommandHandler[] => [{ ...pingHandler, run }, ...handlers.filter((one) => one !== pingHandler)];

async function conversation(own: readonly CommandHandler[] = handlers, highWater?: number): Promise<{ host: FakeHostEnd; agent: Agent; log: FakeLog; machine: ReturnType<typeof createFakeMachine> }> {
  const machine = createFakeMachine();
  const log = new FakeLog();
  const agent = new Agent({ backend: machine.backend, handlers: own, freeze: undefined, log, stateStore: new FakeStateStore(), lists: { allow: [], block: [] }, version: '1' });
  const transport = new FakeTransport(highWater === undefined ? {} : { highWater });
  await transport.open((connection) => agent.serve(connection));
  return { host: transport.connect(), agent, log, machine };
}

const ping = (id: number): string => `{"execute": "guest-ping", "id": ${id}}\n`;

/** An answer that is given when `next` is called, piece by piece. */
function pieces() {
  const waiting: ((piece: IteratorResult<string>) => void)[] = [];
  let left = false;
  const source: AsyncIterable<string> = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise<IteratorResult<string>>((resolve) => void waiting.push(resolve)),
      return: async () => {
        left = true;
        return { done: true, value: undefined };
      },
    }),
  };
  return {
    source,
    give: async (piece: string | undefined) => {
      while (waiting.length === 0) await Promise.resolve();
      waiting.shift()?.(piece === undefined ? { done: true, value: undefined } : { done: false, value: piece });
    },
    isLeft: () => left,
  };
}

describe('a session', () => {
  it('answers many requests of one chunk in order', async () => {
    const { host } = await conversation();

    host.send(ping(1) + ping(2) + ping(3));

    expect([await host.nextLine(), await host.nextLine(), await host.nextLine()]).toEqual([1, 2, 3].map((id) => `{"return": {}, "id": ${id}}`));
  });

  it('looks at no request before the last one is answered, and keeps what comes meanwhile', async () => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    let asked = 0;
    const { host } = await conversation(pingWith(() => ((asked += 1) === 1 ? promise : undefined)));
    host.send(ping(1));
    await Promise.resolve();
    host.send(ping(2));
    await Promise.resolve();
    const before = asked;

    resolve(undefined);

    expect([await host.nextLine(), await host.nextLine()]).toEqual(['{"return": {}, "id": 1}', '{"return": {}, "id": 2}']);
    expect(before).toBe(1);
  });

  it('answers text that is prepared whole', async () => {
    const { host } = await conversation(pingWith(() => new PreparedAnswer('"text"')));

    host.send('{"execute": "guest-ping"}\n');

    expect(await host.nextLine()).toBe('{"return": "text"}');
  });

  it('streams a long answer', async () => {
    const answer = pieces();
    const { host } = await conversation(pingWith(() => new PreparedAnswer(answer.source)));
    host.send(ping(1));

    await answer.give('"one');
    await answer.give(' two"');
    await answer.give(undefined);

    expect(await host.nextLine()).toBe('{"return": "one two", "id": 1}');
  });

  it('waits with the next piece until the host has read the last', async () => {
    const answer = pieces();
    const { host } = await conversation(pingWith(() => new PreparedAnswer(answer.source)), 8);
    host.stall();
    host.send(ping(1));
    await new Promise((resolve) => setImmediate(resolve));
    const before = host.unreadBytes;
    host.resume();

    await answer.give('"x"');
    await answer.give(undefined);

    expect(await host.nextLine()).toBe('{"return": "x", "id": 1}');
    expect(before).toBe('{"return": '.length);
  });

  it('ends an answer at once when the host goes in the middle of it', async () => {
    const answer = pieces();
    const { host } = await conversation(pingWith(() => new PreparedAnswer(answer.source)));
    host.send(ping(1));
    await answer.give('"begun');

    host.changeHost();
    await new Promise((resolve) => setImmediate(resolve));
    host.send('{"execute": "guest-get-host-name"}\n');

    expect(await host.nextLine()).toBe('{"return": {"host-name": "fake"}}');
    expect(answer.isLeft()).toBe(true);
  });

  it('drops a connection whose answer broke off', async () => {
    const broken: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('the disk is gone')), return: () => Promise.reject(new Error('too late')) }),
    };
    const { host, log } = await conversation(pingWith(() => new PreparedAnswer(broken)));

    host.send(ping(1));
    await expect(host.nextLine()).rejects.toThrow('the connection was closed');

    expect(log.texts('error')).toEqual(['an answer broke off: the disk is gone']);
  });

  it('says what broke also where no error was thrown, and of a source that cannot be left', async () => {
    const broken: AsyncIterable<string> = { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject('no error') }) };
    const { host, log } = await conversation(pingWith(() => new PreparedAnswer(broken)));

    host.send(ping(1));
    await expect(host.nextLine()).rejects.toThrow('the connection was closed');

    expect(log.texts('error')).toEqual(['an answer broke off: no error']);
  });

  it('sends nothing to a host that came after the question', async () => {
    const { promise, resolve } = Promise.withResolvers<PreparedAnswer>();
    const { host } = await conversation(pingWith(() => promise));
    host.send(ping(1));
    await new Promise((done) => setImmediate(done));
    host.changeHost();

    resolve(new PreparedAnswer('"old"'));
    await new Promise((done) => setImmediate(done));
    host.send('{"execute": "guest-get-host-name"}\n');

    expect(await host.nextLine()).toBe('{"return": {"host-name": "fake"}}');
  });

  it('answers nothing after the host is gone', async () => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const { host } = await conversation(pingWith(() => promise));
    host.send(ping(1));
    await new Promise((done) => setImmediate(done));

    host.close();
    await new Promise((done) => setImmediate(done));
    resolve(undefined);
    await new Promise((done) => setImmediate(done));

    expect(host.received).toEqual([]);
  });

  it('is closed with the agent', async () => {
    const { host, agent } = await conversation();

    await agent.stop();

    expect(host.isClosed).toBe(true);
  });

  it('answers an error of a handler that throws at once', async () => {
    const { host } = await conversation(pingWith(() => { throw new Error('broken'); }));

    host.send(ping(1));

    expect(await host.nextLine()).toBe('{"id": 1, "error": {"class": "GenericError", "desc": "broken"}}');
  });
});
