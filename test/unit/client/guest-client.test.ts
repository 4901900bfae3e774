// SPDX-License-Identifier: Apache-2.0
import { duplexPair, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import { ClientError, GuestClient, writeFile, type ClientErrorKind } from '../../../client/index.ts';
import { createFakeGuest } from '../../../kit/fake/index.ts';
import { returns, scriptedAgent } from './scripted-agent.ts';

const ofKind = (kind: ClientErrorKind) => expect.objectContaining({ name: 'ClientError', kind });

describe('a conversation', () => {
  it('begins with a resynchronisation and brings results in the shape of the schema', async () => {
    const guest = await createFakeGuest();
    using client = new GuestClient(guest.connect());

    const [name, time, load] = await Promise.all([
      client.execute('guest-get-host-name'),
      client.execute('guest-get-time'),
      client.execute('guest-get-load'),
    ]);

    expect(name).toEqual({ 'host-name': 'fake' });
    expect(time).toBe(1_767_225_600_000_000_000n);
    expect(load).toEqual({ load1m: 0.5, load5m: 0.25, load15m: 0.125 });
  });

  it('takes what stale answers, blank errors and other hosts left in the channel for nothing', async () => {
    const agent = scriptedAgent({
      beforeSync: () => '{"return": {"host-name": "old"}}\n{"error": {"class": "GenericError", "desc": "JSON parse error, stray 0xFF"}}\n',
      answer: returns('{"host-name": "new"}'),
    });
    agent.say('half of an old ans');
    using client = new GuestClient(agent.host);

    await expect(client.execute('guest-get-host-name')).resolves.toEqual({ 'host-name': 'new' });
  });

  it('waits for its own resynchronisation where the answer to an earlier one comes first, in one chunk', async () => {
    const agent = scriptedAgent({ beforeSync: () => '\u00ff{"return": 17}\n', answer: returns('{}') });
    using client = new GuestClient(agent.host);

    await expect(client.execute('guest-ping')).resolves.toBeUndefined();
  });

  it('passes over answers that carry the id of another', async () => {
    const agent = scriptedAgent({ answer: (_name, id) => `{"return": {"host-name": "theirs"}, "id": 999}\n{"return": {"host-name": "ours"}${id}}\n` });
    using client = new GuestClient(agent.host);

    await expect(client.execute('guest-get-host-name')).resolves.toEqual({ 'host-name': 'ours' });
  });

  it('gets along with an agent that does not repeat ids', async () => {
    const agent = scriptedAgent({ repeatsIds: false, answer: returns('{"host-name": "old agent"}') });
    using client = new GuestClient(agent.host);

    await expect(client.execute('guest-get-host-name')).resolves.toEqual({ 'host-name': 'old agent' });
  });

  it('sends one request at a time, in the order of the calls', async () => {
    const agent = scriptedAgent();
    using client = new GuestClient(agent.host);
    const first = client.execute('guest-ping');
    const second = client.execute('guest-get-host-name');

    await agent.nextRequest();
    const sentBefore = [...agent.requests];
    agent.say('{"return": {}, "id": 2}\n');
    await first;
    await agent.nextRequest();
    agent.say('{"return": {"host-name": "x"}, "id": 3}\n');

    expect(sentBefore).toEqual(['guest-ping']);
    await expect(second).resolves.toEqual({ 'host-name': 'x' });
  });

  it('flows over a stream that was paused by whoever greeted the other side', async () => {
    const agent = scriptedAgent({ answer: returns('{}') });
    agent.host.pause();
    using client = new GuestClient(agent.host);

    await expect(client.execute('guest-ping')).resolves.toBeUndefined();
  });
});

describe('a refusal', () => {
  it('carries the class and the words of the agent', async () => {
    const guest = await createFakeGuest({}, { blockRpcs: ['guest-get-users'] });
    using client = new GuestClient(guest.connect());

    const refusal = await client.execute('guest-get-users').catch((error: unknown) => error);

    expect(refusal).toMatchObject({ kind: 'refused', agentClass: 'CommandNotFound', message: expect.stringContaining('has been disabled') });
    expect(ClientError.is(refusal)).toBe(true);
    await expect(client.execute('guest-ping')).resolves.toBeUndefined();
  });

  it('of arguments that the schema does not take comes before anything is sent', async () => {
    const agent = scriptedAgent();
    using client = new GuestClient(agent.host);

    await expect(client.execute('guest-file-open', { path: 7 } as never)).rejects.toThrow(new TypeError("argument 'path' should be a string"));
    await expect(client.execute('guest-ping', { foo: 1 } as never)).rejects.toThrow("guest-ping has no argument 'foo'");
    await expect(client.execute('guest-file-open', {} as never)).rejects.toThrow("guest-file-open needs the argument 'path'");
    await expect(client.execute('guest-no-such' as 'guest-ping')).rejects.toThrow("no command is named 'guest-no-such'");
    expect(agent.requests).toEqual([]);
  });
});

describe('bad answers', () => {
  it.each([
    ['no JSON', 'hello\n'],
    ['no object', '[1]\n'],
    ['half an object', '{"return": \n'],
    ['two objects', '{"return": {"host-name": "x"}, "id": 2} {}\n'],
    ['neither return nor error', '{"greeting": 1}\n'],
    ['another shape than the schema has', '{"return": {"host-name": 5}, "id": 2}\n'],
    ['a member missing', '{"return": {}, "id": 2}\n'],
  ])('are garbage when they are %s', async (_what, text) => {
    const agent = scriptedAgent({ answer: () => text });
    using client = new GuestClient(agent.host);

    await expect(client.execute('guest-get-host-name')).rejects.toEqual(ofKind('garbage'));
  });

  it('cost one call: the next resynchronises and goes on', async () => {
    let asked = 0;
    const agent = scriptedAgent({ answer: (_name, id) => ((asked += 1) === 1 ? '}{\n' : `{"return": {}${id}}\n`) });
    using client = new GuestClient(agent.host);

    await expect(client.execute('guest-ping')).rejects.toEqual(ofKind('garbage'));
    await expect(client.execute('guest-ping')).resolves.toBeUndefined();
  });

  it('that never end are cut off at the limit, and the channel with them', async () => {
    const agent = scriptedAgent({ answer: () => undefined });
    using client = new GuestClient(agent.host, { maxReplyBytes: 1000 });
    const call = client.execute('guest-ping');
    await agent.nextRequest();

    for (let sent = 0; sent <= 1000; sent += 100) agent.say('x'.repeat(100));

    await expect(call).rejects.toEqual(ofKind('too-large'));
    await expect(client.execute('guest-ping')).rejects.toEqual(ofKind('too-large'));
    expect(client.isOpen).toBe(false);
  });

  it('that come while nobody waits are bounded too', async () => {
    const agent = scriptedAgent();
    using client = new GuestClient(agent.host, { maxReplyBytes: 1000 });
    const call = client.execute('guest-ping');
    await agent.nextRequest();
    await setImmediate();

    agent.say(`{"return": {}, "id": 2}\n${'x\n'.repeat(1000)}`);

    // Its answer was there in time; what stands behind it is more than a client keeps.
    await expect(call).resolves.toBeUndefined();
    await expect(client.execute('guest-ping')).rejects.toEqual(ofKind('too-large'));
  });

  it('with a sentinel within begin anew there', async () => {
    const agent = scriptedAgent({ answer: (_name, id) => `{"return": "of somebody \u00ff{"return": {"host-name": "mine"}${id}}\n` });
    using client = new GuestClient(agent.host);

    await expect(client.execute('guest-get-host-name')).resolves.toEqual({ 'host-name': 'mine' });
  });

  it('are taken byte by byte, blank lines passed over', async () => {
    const agent = scriptedAgent({ answer: () => undefined });
    using client = new GuestClient(agent.host);
    const call = client.execute('guest-get-host-name');
    await agent.nextRequest();

    for (const byte of '\n\r\n{"return": {"host-name": "slow"}, "id": 2}\r\n') agent.say(byte);

    await expect(call).resolves.toEqual({ 'host-name': 'slow' });
  });

  it('that nobody asked for are not taken for the next answer', async () => {
    const agent = scriptedAgent({ answer: (name, id) => `{"return": ${name === 'guest-ping' ? '{}' : '{"host-name": "right"}'}${id}}\n{"return": {"host-name": "unasked"}}\n` });
    using client = new GuestClient(agent.host);

    await client.execute('guest-ping');

    await expect(client.execute('guest-get-host-name')).resolves.toEqual({ 'host-name': 'right' });
  });
});

describe('an end', () => {
  it('of the channel fails the call that waits and every later one', async () => {
    const agent = scriptedAgent();
    using client = new GuestClient(agent.host);
    const call = client.execute('guest-ping');
    await agent.nextRequest();

    agent.hangUp();

    await expect(call).rejects.toEqual(ofKind('closed'));
    await expect(client.execute('guest-ping')).rejects.toEqual(ofKind('closed'));
  });

  it('by a broken stream carries the reason', async () => {
    const [host] = duplexPair();
    using client = new GuestClient(host);
    const call = client.execute('guest-ping');

    host.destroy(new Error('EPIPE'));

    await expect(call).rejects.toMatchObject({ kind: 'closed', message: 'the channel broke: EPIPE' });
  });

  it('of the client fails what waits', async () => {
    const agent = scriptedAgent();
    const client = new GuestClient(agent.host);
    const call = client.execute('guest-ping');
    await agent.nextRequest();

    client.close();

    await expect(call).rejects.toEqual(ofKind('closed'));
  });
});

describe('limits', () => {
  it('of time end a call, and the late answer is not taken for the next one', async () => {
    const agent = scriptedAgent({ answer: (name, id) => (name === 'guest-get-users' ? undefined : `{"return": {"host-name": "right"}${id}}\n`) });
    using client = new GuestClient(agent.host);

    await expect(client.execute('guest-get-users', {}, { timeoutMs: 5 })).rejects.toEqual(ofKind('timeout'));
    agent.say('{"return": [], "id": 2}\n');

    await expect(client.execute('guest-get-host-name')).resolves.toEqual({ 'host-name': 'right' });
  });

  it('of time hold for an agent that does not resynchronise, and a later one may', async () => {
    const agent = scriptedAgent({ synchronizes: (count) => count > 1, answer: returns('{}') });
    using client = new GuestClient(agent.host, { timeoutMs: 5 });

    await expect(client.execute('guest-ping')).rejects.toEqual(ofKind('timeout'));
    await expect(client.execute('guest-ping', {}, { timeoutMs: 0 })).resolves.toBeUndefined();
  });

  it('by a signal end the call that is under way', async () => {
    const agent = scriptedAgent();
    using client = new GuestClient(agent.host);
    const abort = new AbortController();
    const call = client.execute('guest-ping', {}, { signal: abort.signal });
    await agent.nextRequest();

    abort.abort(new Error('enough'));

    await expect(call).rejects.toMatchObject({ kind: 'aborted', cause: new Error('enough') });
  });

  it('by a signal end a call that still queues, which is then never sent', async () => {
    const agent = scriptedAgent();
    using client = new GuestClient(agent.host, { timeoutMs: 0 });
    const abort = new AbortController();
    const first = client.execute('guest-ping');
    const second = client.execute('guest-get-users', {}, { signal: abort.signal });
    await agent.nextRequest();

    abort.abort();

    await expect(second).rejects.toEqual(ofKind('aborted'));
    agent.say('{"return": {}, "id": 2}\n');
    await first;
    expect(agent.requests).toEqual(['guest-ping']);
  });

  it('by a signal that has already gone off send nothing', async () => {
    const agent = scriptedAgent();
    using client = new GuestClient(agent.host);

    await expect(client.execute('guest-ping', {}, { signal: AbortSignal.abort() })).rejects.toEqual(ofKind('aborted'));
    expect(agent.requests).toEqual([]);
  });
});

describe('a request that the agent does not take', () => {
  /** Far more than a stream holds. */
  const written = Buffer.alloc(4 * 1024 * 1024, 'x');

  /** An agent that resynchronises, and then reads nothing until `goOn`. */
  async function stuck() {
    const agent = scriptedAgent({ answer: (name, id) => (name === 'guest-file-open' ? `{"return": 7${id}}\n` : `{"return": {}${id}}\n`) });
    const client = new GuestClient(agent.host, { timeoutMs: 0 });
    await client.execute('guest-ping');
    agent.stopReading();
    return { agent, client };
  }

  it.each([
    ['the time is over', () => ({ timeoutMs: 5 }), 'timeout'],
    ['it is given up', () => ({ signal: AbortSignal.timeout(5) }), 'aborted'],
  ] as const)('ends when %s, and the next call finds its answer', async (_what, options, kind) => {
    const { agent, client } = await stuck();
    const writing = pipeline(Readable.from([written]), writeFile(client, '/data/new', options()));

    await expect(writing).rejects.toEqual(ofKind(kind));
    agent.readOn();

    await expect(client.execute('guest-ping')).resolves.toBeUndefined();
    client.close();
  });

  it('ends when the channel does', async () => {
    const { agent, client } = await stuck();
    const writing = pipeline(Readable.from([written]), writeFile(client, '/data/new'));
    writing.catch(() => undefined);

    agent.hangUp();

    await expect(writing).rejects.toEqual(ofKind('closed'));
  });

  it('is kept from none that queues behind it', async () => {
    const { agent, client } = await stuck();
    const abort = new AbortController();
    const writing = pipeline(Readable.from([written]), writeFile(client, '/data/new', { signal: abort.signal }));
    writing.catch(() => undefined);
    const next = client.execute('guest-ping');

    abort.abort();
    agent.readOn();

    await expect(next).resolves.toBeUndefined();
    client.close();
  });
});

describe('commands that say nothing when they succeed', () => {
  it('resolve when nothing objects in time', async () => {
    const guest = await createFakeGuest();
    using client = new GuestClient(guest.connect());

    await client.execute('guest-shutdown', { mode: 'halt' }, { timeoutMs: 20 });

    expect(guest.machine.power.events).toMatchObject([{ kind: 'shutdown', mode: 'halt' }]);
  });

  it('resolve when the guest takes the channel down with it', async () => {
    const agent = scriptedAgent();
    using client = new GuestClient(agent.host);
    const call = client.execute('guest-shutdown');
    await agent.nextRequest();

    agent.hangUp();

    await expect(call).resolves.toBeUndefined();
  });

  it('reject when the agent objects', async () => {
    const guest = await createFakeGuest();
    using client = new GuestClient(guest.connect());

    await expect(client.execute('guest-suspend-hybrid')).rejects.toMatchObject({ kind: 'refused', message: expect.stringContaining('not supported') });
  });
});

it('calls commands of no schema, with arguments as text', async () => {
  const agent = scriptedAgent({ answer: returns('[1, "two", {"three": true}]') });
  using client = new GuestClient(agent.host);

  const value = await client.executeRaw('acme-do', '{"x": 1}');

  expect(value).toEqual([1n, 'two', new Map([['three', true]])]);
  expect(agent.requests).toEqual(['acme-do']);
});

it('resynchronises when it is told to', async () => {
  let syncs = 0;
  const agent = scriptedAgent({ beforeSync: (count) => ((syncs = count), ''), answer: returns('{}') });
  using client = new GuestClient(agent.host);

  await client.synchronize();
  await client.execute('guest-ping');
  await client.synchronize();

  expect(syncs).toBe(2);
});

describe('raw arguments', () => {
  it.each([
    ['{}\n{"execute": "guest-shutdown"}'],
    ['{}, "id": 1}\n{"execute": "guest-shutdown"'],
    ['{"a": 1'],
    ['[]'],
    ['null'],
    [''],
    [{ path: '/x' }],
    [7],
  ])('%j are refused before a byte is sent, and the next call works', async (text) => {
    const agent = scriptedAgent({ answer: returns('{}') });
    using client = new GuestClient(agent.host);

    await expect(client.executeRaw('guest-x', text as string)).rejects.toBeInstanceOf(TypeError);
    await client.execute('guest-ping');

    expect(agent.requests).toEqual(['guest-ping']);
  });

  it('may have lines, which are sent as one', async () => {
    const agent = scriptedAgent({ answer: returns('{}') });
    using client = new GuestClient(agent.host);

    await client.executeRaw('guest-x', '{\r\n  "a": 9007199254740993\n}');

    expect(agent.requests).toEqual(['guest-x']);
  });

  it('need a name that is one', async () => {
    using client = new GuestClient(scriptedAgent().host);

    await expect(client.executeRaw({} as string)).rejects.toBeInstanceOf(TypeError);
  });
});

it('a stream that is closed already is told at once', async () => {
  const { host } = scriptedAgent();
  host.destroy();
  await setImmediate();

  await expect(new GuestClient(host).execute('guest-ping')).rejects.toMatchObject({ kind: 'closed' });
});
