// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { buffer, text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';

import { attach, ClientError, GuestClient, spawn, terminal, type GuestProcess, type SingleCommands } from '../../../client/index.ts';
import { createFakeGuest, type FakeGuest, type FakeGuestOptions, type ProgramFunction, type Scenario } from '../../../kit/fake/index.ts';
import { scriptedAgent } from './scripted-agent.ts';

const guestWith = (program?: ProgramFunction, options: FakeGuestOptions = {}): Promise<FakeGuest> => {
  const scenario: Scenario = program === undefined ? {} : { machine: { files: { '/usr/bin/program': { program } } } };
  return createFakeGuest(scenario, { realTime: true, ...options });
};
const clientOf = (guest: FakeGuest): GuestClient => new GuestClient(guest.connect());

/** The same guest behind something that passes single requests on, as libvirt does. */
function passedOn(guest: FakeGuest): SingleCommands & { readonly asked: number } {
  const inner = clientOf(guest);
  let asked = 0;
  return {
    get asked() {
      return asked;
    },
    ask: async (request) => {
      asked += 1;
      const { execute, arguments: args } = JSON.parse(request) as { execute: string; arguments: object };
      try {
        const value = await inner.executeRaw(execute, JSON.stringify(args));
        return JSON.stringify({ return: value }, (_name, one: unknown) => (one instanceof Map ? Object.fromEntries(one) : typeof one === 'bigint' ? Number(one) : one));
      } catch (error) {
        if (!ClientError.is(error) || error.kind !== 'refused') throw error;
        return JSON.stringify({ error: { class: error.agentClass, desc: error.message } });
      }
    },
    close: () => inner.close(),
  };
}

/** Unlike `once`, it does not fail where there is an error as well. */
const closeOf = (child: GuestProcess): Promise<unknown[]> => new Promise((resolve) => void child.once('close', (...how) => resolve(how)));

/** Counts up to `total` in bytes that tell where they are. */
const pattern = (total: number): Buffer => Buffer.from(Uint32Array.from({ length: total / 4 }, (_, index) => index).buffer);

const printing = (bytes: Buffer): ProgramFunction => async ({ print, taken }) => {
  for (let at = 0; at < bytes.length; at += 16_384) {
    print(bytes.subarray(at, at + 16_384));
    // oxlint-disable-next-line no-await-in-loop -- a pipe that is full is waited for
    await taken();
  }
};

it.each([
  ['a socket', 'connection'],
  ['what carries single commands, each as from another host', 'detached'],
])('over %s a program is started as %s', async (over, lifetime) => {
  const guest = await guestWith();
  const way = passedOn(guest);
  const requests: string[] = [];
  using client = lifetime === 'connection' ? clientOf(guest) : new GuestClient({ ...way, ask: (request, ...more) => (requests.push(request), way.ask(request, ...more)) });
  const child = spawn(client, 'sh', ['-c', 'cat']);
  await once(child, 'spawn');

  expect(client.isOwnConnection, over).toBe(lifetime === 'connection');
  expect(requests.filter((request) => request.includes('exec-start')).map((request) => (JSON.parse(request) as { arguments: { lifetime: string } }).arguments.lifetime)).toEqual(lifetime === 'connection' ? [] : ['detached']);
  child.kill('SIGKILL');
  await closeOf(child);
});

describe.each([
  ['a socket', (guest: FakeGuest) => clientOf(guest)],
  ['what carries single commands', (guest: FakeGuest) => new GuestClient(passedOn(guest))],
])('over %s', (_name, connect) => {
  it('a program is talked with, and tells how it ended', async () => {
    using client = connect(await guestWith());
    const child = spawn(client, 'sh');
    const output = text(child.stdout!);
    const errors = text(child.stderr!);

    child.stdin!.write('echo one\nnonsense\n');
    child.stdin!.end('exit 3\n');

    expect(await closeOf(child)).toEqual([3, null]);
    expect([await output, await errors]).toEqual(['one\n', 'sh: nonsense: not found\n']);
    expect(child.pid).toBeGreaterThan(0);
  });

  it('input and output of a MiB arrive as they were', async () => {
    using client = connect(await guestWith());
    const bytes = pattern(1024 * 1024);
    const child = spawn(client, 'cat');

    child.stdin!.end(bytes);

    expect(bytes.equals(await buffer(child.stdout!))).toBe(true);
  });

  it('a terminal shows what is typed, obeys Ctrl-C and has the size that it was given', async () => {
    using client = connect(await guestWith());
    const child = terminal(client, 'sh', [], { rows: 24, columns: 80 });
    const seen = shown(child);
    await seen.until('$ ');

    child.stdin!.write('size\n');
    await seen.until('24 80');
    await child.resize(50, 132);
    child.stdin!.write('size\n');
    await seen.until('50 132');
    child.stdin!.write('sleep 1000\n');
    await seen.until('sleep 1000');
    const closed = closeOf(child);
    // The key may come before the shell sleeps.
    while (child.exitCode === null) {
      child.stdin!.write('\u0003exit 7\n');
      for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    }

    await seen.until('^C');
    expect(await closed).toEqual([7, null]);
  });
});

/** What a terminal has shown, and a wait for more of it. */
function shown(child: GuestProcess): { until: (words: string) => Promise<void> } {
  let all = '';
  child.stdout!.on('data', (chunk: Buffer) => (all += chunk.toString()));
  return {
    until: async (words) => {
      while (!all.includes(words)) await once(child.stdout!, 'data');
    },
  };
}

describe('the end of a program', () => {
  it('by a signal is told by name', async () => {
    using client = clientOf(await guestWith());
    const child = spawn(client, 'sleep', ['1000']);
    await once(child, 'spawn');

    expect(child.kill()).toBe(true);

    expect(await once(child, 'exit')).toEqual([null, 'SIGTERM']);
    expect(child.signalNumber).toBe(15);
    expect(child.kill()).toBe(false);
  });

  it('is brought about by an AbortSignal, and told of as an error', async () => {
    using client = clientOf(await guestWith());
    const abort = new AbortController();
    const child = spawn(client, 'sleep', ['1000'], { signal: abort.signal, killSignal: 'SIGKILL' });
    await once(child, 'spawn');
    const errors: unknown[] = [];
    child.on('error', (error) => errors.push(error));

    abort.abort();

    expect(await closeOf(child)).toEqual([null, 'SIGKILL']);
    expect(errors).toEqual([expect.objectContaining({ kind: 'aborted' })]);
  });

  it('is brought about though it was given up while it was started', async () => {
    const guest = await guestWith();
    using client = clientOf(guest);
    const abort = new AbortController();
    const child = spawn(client, 'sleep', ['1000'], { signal: abort.signal });
    child.on('error', () => undefined);
    const closed = closeOf(child);
    await Promise.resolve();

    abort.abort();

    expect(await closed).toEqual([null, 'SIGTERM']);
  });

  it('comes by the agent where its time is limited', async () => {
    using client = clientOf(await guestWith());
    const child = spawn(client, 'sleep', ['1000'], { timeLimitMs: 1 });

    expect(await closeOf(child)).toEqual([null, 'SIGTERM']);
    expect(child.timedOut).toBe(true);
  });

  it('is forgotten by the agent when all was told', async () => {
    using client = clientOf(await guestWith());

    await closeOf(spawn(client, 'sh', ['-c', 'echo x'], { stdio: 'ignore' }));

    expect(await client.execute('__org.concierge_exec-list')).toEqual([]);
  });

  it('ends its input, for who still writes', async () => {
    using client = clientOf(await guestWith(() => 0));
    const child = spawn(client, 'program');

    await closeOf(child);

    expect(child.stdin!.destroyed).toBe(true);
  });
});

describe('what cannot be', () => {
  const errorOf = async (child: GuestProcess): Promise<unknown> => ((await once(child, 'error')) as unknown[])[0];

  it('started is an error in the words of the agent', async () => {
    using client = clientOf(await guestWith());

    expect(await errorOf(spawn(client, '/no/such'))).toMatchObject({ kind: 'refused', message: expect.stringContaining('No such file or directory') });
    expect(await errorOf(spawn(client, 'cat', [], { user: 'nobody-here' }))).toMatchObject({ kind: 'refused', message: "the user 'nobody-here' does not exist" });
  });

  it('done by an agent without these commands is named', async () => {
    const agent = scriptedAgent({ answer: (name, id) => `{"error": {"class": "CommandNotFound", "desc": "The command ${name} has not been found"}${id}}\n` });
    using client = new GuestClient(agent.host);

    expect(await errorOf(terminal(client, 'sh', [], { rows: 1, columns: 1 }))).toMatchObject({ kind: 'refused', missing: '__org.concierge_exec-start', message: expect.stringContaining('cannot talk with programs while they run') });
  });

  it('started is nothing that was given up before', async () => {
    const agent = scriptedAgent();
    using client = new GuestClient(agent.host);

    expect(await errorOf(spawn(client, 'x', [], { signal: AbortSignal.abort() }))).toMatchObject({ kind: 'aborted' });
    expect(agent.requests).toEqual([]);
  });

  const good = '"input-accepted": 0, "input-ended": false, "output-offset": 0, "output-ended": false, "errors-offset": 0, "errors-ended": false, "exited": false';

  it.each([
    ['an offset that nobody asked for', good.replace('"output-offset": 0', '"output-offset": 5')],
    ['a negative offset', good.replace('"errors-offset": 0', '"errors-offset": -1')],
    ['an offset that is not exact', good.replace('"output-offset": 0', '"output-offset": 9007199254740993')],
    ['input that nobody brought', good.replace('"input-accepted": 0', '"input-accepted": 1')],
    ['more than was asked for', `${good}, "output": "${'A'.repeat(87_384)}"`],
    ['lost bytes that do not fit', `${good}, "output-lost": 7`],
  ])('answered by an agent is an error: %s', async (_what, answer) => {
    const agent = scriptedAgent({ answer: (name, id) => `{"return": ${name.endsWith('start') ? '{"program": 1, "pid": 1}' : `{${answer}}`}${id}}\n` });
    using client = new GuestClient(agent.host);

    expect(await errorOf(spawn(client, 'x'))).toMatchObject({ kind: 'garbage', message: expect.stringContaining('makes no sense') });
  });

  it.each(['%%%%', 'AAA', 'AA=A', `${'A'.repeat(1000)}%`])('answered by an agent is an error: output that is not base64 (case %#)', async (output) => {
    const agent = scriptedAgent({ answer: (name, id) => `{"return": ${name.endsWith('start') ? '{"program": 1, "pid": 1}' : `{${good}, "output": "${output}"}`}${id}}\n` });
    using client = new GuestClient(agent.host);

    expect(await errorOf(spawn(client, 'x'))).toMatchObject({ kind: 'garbage', message: 'the guest sent bytes that are not base64' });
  });

  it.each([
    ['output behind its end', '"output-ended": true', '"output-ended": false'],
    ['a program that has ended and has not', '"exited": true', '"exited": false'],
    ['input that has ended and has not', '"input-ended": true', '"input-ended": false'],
  ])('answered after another answer is an error: %s', async (_what, first, second) => {
    let count = 0;
    const of = (part: string): string => good.replace(part.replace(/true|false/, 'false'), part);
    const agent = scriptedAgent({ answer: (name, id) => `{"return": ${name.endsWith('start') ? '{"program": 1, "pid": 1}' : `{${of((count += 1) === 1 ? first : second)}}`}${id}}\n` });
    using client = new GuestClient(agent.host);
    const child = spawn(client, 'x');
    child.stdout!.resume();

    expect(await errorOf(child)).toMatchObject({ kind: 'garbage', message: expect.stringContaining('makes no sense') });
    expect(child.stdout!.destroyed).toBe(true);
  });
});

describe('a conversation that breaks', () => {
  const bytes = pattern(1024 * 1024);

  it('is taken up again on another connection without a byte lost or doubled, in both directions', async () => {
    const guest = await guestWith();
    let breaks = 0;
    // Each connection is cut in the middle of an answer, after a while.
    const connect = (): GuestClient => {
      const stream = guest.connect();
      let left = 100_000 + breaks * 17_777;
      stream.on('data', (chunk: Buffer) => {
        left -= chunk.length;
        if (left < 0 && breaks < 5) {
          breaks += 1;
          stream.destroy();
        }
      });
      return new GuestClient(stream);
    };
    const events: string[] = [];
    const child = spawn(connect(), 'cat', [], { reconnect: async () => connect() });
    child.on('interrupted', () => events.push('interrupted'));
    child.on('resumed', () => events.push('resumed'));

    child.stdin!.end(bytes);
    const got = await buffer(child.stdout!);

    expect(bytes.equals(got)).toBe(true);
    expect(breaks).toBe(5);
    expect(events).toEqual(Array.from({ length: 5 }, () => ['interrupted', 'resumed']).flat());
  });

  it('asks again for an answer that was lost on the way', async () => {
    const guest = await guestWith(printing(bytes));
    const way = passedOn(guest);
    let count = 0;
    const ask: SingleCommands['ask'] = async (request, ...rest) => {
      const answer = await way.ask(request, ...rest);
      if (!request.includes('exchange')) return answer;
      count += 1;
      if (count % 3 === 0) throw new ClientError('timeout', 'guest agent command timed out');
      return count % 7 === 0 ? 'half of an ans' : answer;
    };
    using client = new GuestClient({ ask, close: () => way.close?.() });
    const child = spawn(client, 'program');

    expect(bytes.equals(await buffer(child.stdout!))).toBe(true);
    expect(count).toBeGreaterThan(7);
  });

  it('is an error where no connection is to be had', async () => {
    const guest = await guestWith();
    using client = clientOf(guest);
    const child = spawn(client, 'cat');
    await once(child, 'spawn');

    client.close();

    expect(((await once(child, 'error')) as unknown[])[0]).toMatchObject({ kind: 'closed' });
    expect(child.stdout!.destroyed).toBe(true);
  });

  it('is an error when the next agent knows nothing of the program', async () => {
    const [first, second] = [await guestWith(), await guestWith()];
    using client = clientOf(first);
    const child = spawn(client, 'cat', [], { reconnect: async () => clientOf(second) });
    await once(child, 'spawn');

    client.close();

    expect(((await once(child, 'error')) as unknown[])[0]).toMatchObject({ kind: 'refused', message: expect.stringContaining('there is no program') });
  });

  it('goes on with another host, which has only its number', async () => {
    const guest = await guestWith();
    using client = clientOf(guest);
    using other = clientOf(guest);
    const child = spawn(client, 'cat', [], { detached: true });
    child.stdin!.write('first ');
    await once(child.stdout!, 'data');
    child.detach();
    const again = attach(other, child.program!, { stdin: true });

    again.stdin!.end('second');

    expect(await text(again.stdout!)).toMatch(/^(first )?second$/);
  });
});

describe('backpressure', () => {
  it('lets a program that floods wait for a reader who takes little', async () => {
    const guest = await guestWith();
    using client = clientOf(guest);
    const child = spawn(client, 'yes');
    const reader = child.stdout![Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    await reader.next();
    for (let turn = 0; turn < 50; turn += 1) await setImmediate();
    const [listed] = await client.execute('__org.concierge_exec-list');
    const seen = Number(listed!['output-offset']);
    for (let turn = 0; turn < 50; turn += 1) await setImmediate();
    const [again] = await client.execute('__org.concierge_exec-list');

    expect(Number(again!['output-offset'])).toBe(seen);
    child.stdout!.destroy();
    child.kill('SIGKILL');
    await once(child, 'exit');
  });

  it('lets a writer go on whose output nobody reads yet', async () => {
    using client = clientOf(await guestWith(async ({ print, read }) => {
      print(Buffer.alloc(64 * 1024));
      let count = 0;
      for (let piece = await read(); piece !== undefined; piece = await read()) count += piece.length;
      print(String(count));
    }));
    const child = spawn(client, 'program');
    await once(child.stdout!, 'readable');

    await new Promise<void>((resolve) => void child.stdin!.end(Buffer.alloc(300_000), () => resolve()));

    expect((await buffer(child.stdout!)).subarray(64 * 1024).toString()).toBe('300000');
  });

  it('does not hold a writer whose program does not read', async () => {
    using client = clientOf(await guestWith(async ({ sleep }) => sleep(60_000)));
    const child = spawn(client, 'program');
    await once(child, 'spawn');

    const isRoom = child.stdin!.write(Buffer.alloc(1024 * 1024));
    await client.execute('guest-ping');

    expect(isRoom).toBe(false);
    child.detach();
  });

  it('keeps a program that has to be asked for, though nobody reads what it writes', async () => {
    const way = passedOn(await guestWith());
    const requests: string[] = [];
    let heard: () => void = () => undefined;
    using client = new GuestClient({ ...way, ask: (request, ...more) => (requests.push(request), heard(), way.ask(request, ...more)) });
    const child = spawn(client, 'yes', [], { unattendedLimitMs: 1000 });
    const reader = child.stdout![Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    await reader.next();

    // Those take nothing, and keep it alive.
    const asking = () => requests.filter((request) => /exec-exchange.*"size":1[,}]/.test(request)).length;
    while (asking() < 3) await new Promise<void>((resolve) => { heard = resolve; });

    expect(requests[0]).toContain('"unattended-limit-ms":1000');
    expect(await client.execute('__org.concierge_exec-list')).toMatchObject([{ exited: false }]);
    child.detach();
  });

  it('tells how much is lost of a program that does not wait', async () => {
    const guest = await guestWith(async ({ print, read }) => {
      print('0123456789');
      await read();
    });
    using client = clientOf(guest);
    const child = spawn(client, 'program', [], { keepLatestBytes: 4 });
    const lost = once(child, 'lost');

    const data = once(child.stdout!, 'data');

    expect(await lost).toEqual(['stdout', 6]);
    expect(String((await data)[0])).toBe('6789');
    child.detach();
  });
});

describe('many at once', () => {
  it('50 programs talk over one connection', async () => {
    using client = clientOf(await guestWith());
    const told = await Promise.all(Array.from({ length: 50 }, async (_, index) => {
      const child = spawn(client, 'cat');
      child.stdin!.end(`program ${index}`);
      return text(child.stdout!);
    }));

    expect(told).toEqual(Array.from({ length: 50 }, (_, index) => `program ${index}`));
  });

  it('another call does not wait until an idle program has something to say', async () => {
    const agent = scriptedAgent({ answer: (name, id) => (name.endsWith('exchange') ? undefined : `{"return": ${name.endsWith('start') ? '{"program": 1, "pid": 1}' : '{}'}${id}}\n`) });
    using client = new GuestClient(agent.host);
    const child = spawn(client, 'x');
    child.on('error', () => undefined);
    while (!agent.requests.some((name) => name.includes('exchange'))) await setImmediate();

    const next = agent.nextRequest();
    void client.execute('guest-get-time').catch(() => undefined);

    expect(await next).toBe('guest-ping');
  });
});

it('asks by a ping for an answer that is overdue, and again for one that is lost', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    let exchanges = 0;
    const agent = scriptedAgent({
      answer: (name, id) => {
        if (name.endsWith('-start')) return `{"return": {"program": 5, "pid": 9}${id}}\n`;
        if (name === 'guest-ping') return `{"return": {}${id}}\n`;
        exchanges += 1;
        return exchanges === 2 ? `{"return": {"input-accepted": 0, "input-ended": false, "output": "eA==", "output-offset": 0, "output-ended": false, "errors-offset": 0, "errors-ended": true, "exited": false}${id}}\n` : undefined;
      },
    });
    using client = new GuestClient(agent.host, { timeoutMs: 0 });
    using child = spawn(client, 'x');
    const shows = once(child.stdout!, 'data');
    while (!agent.requests.includes('__org.concierge_exec-exchange')) await setImmediate();

    await vi.advanceTimersByTimeAsync(2499);
    for (let turn = 0; turn < 10; turn += 1) await setImmediate();
    const before = [...agent.requests];
    await vi.advanceTimersByTimeAsync(1);

    expect(String((await shows)[0])).toBe('x');
    expect(before.at(-1)).toBe('__org.concierge_exec-exchange');
    expect(agent.requests.slice(before.length, before.length + 2)).toEqual(['guest-ping', '__org.concierge_exec-exchange']);
  } finally {
    vi.useRealTimers();
  }
});

describe('a key that is typed while an exchange waits', () => {
  const EXCHANGE = '__org.concierge_exec-exchange';
  /** What an exchange answers, to which so much was typed, of a program that has printed `output` from `from` on. */
  const said = (accepted: number, from: number, output: string, id: string): string =>
    `{"return": {"input-accepted": ${accepted}, "input-ended": false, ${output === '' ? '' : `"output": "${Buffer.from(output).toString('base64')}", `}"output-offset": ${from}, "output-ended": false, "errors-offset": 0, "errors-ended": true, "exited": false}${id}}\n`;
  type Exchange = (id: string) => string | undefined;

  /** A terminal whose exchanges are answered as told, each by the next; all others are held. */
  async function typing(exchanges: readonly Exchange[], repeatsIds = true) {
    const left = [...exchanges];
    const agent = scriptedAgent({
      repeatsIds,
      answer: (name, id) => {
        if (name === EXCHANGE) return left.shift()?.(id);
        return name.endsWith('-start') ? `{"return": {"program": 5, "pid": 9}${id}}\n` : `{"return": {}${id}}\n`;
      },
    });
    const client = new GuestClient(agent.host);
    const child = terminal(client, 'sh', [], { rows: 24, columns: 80 });
    let screen = '';
    child.stdout!.on('data', (chunk: Buffer) => (screen += chunk.toString()));
    await expect.poll(() => agent.requests).toContain(EXCHANGE);
    return { agent, client, child, screen: () => screen };
  }

  it('goes out with the next exchange, which ends the wait: nothing is asked for before', async () => {
    let held = '';
    const { agent, client, child, screen } = await typing([
      (id) => void (held = id),
      (id) => said(0, 0, '', held) + said(1, 0, 'x', id),
    ]);

    child.stdin!.write('x');

    await expect.poll(screen).toBe('x');
    expect(agent.requests.slice(0, 3)).toEqual(['__org.concierge_exec-start', EXCHANGE, EXCHANGE]);
    expect(agent.arguments[2]).toMatchObject({ input: 'eA==', 'input-offset': 0, 'output-offset': 0 });
    child.detach();
    client.close();
  });

  it('shows nothing twice that the answer before it has brought, and types nothing twice', async () => {
    let held = '';
    const { agent, client, child, screen } = await typing([
      (id) => void (held = id),
      (id) => said(0, 0, 'ab', held) + said(1, 0, 'abx', id),
      (id) => void (held = id),
      (id) => said(1, 3, 'cd', held) + said(2, 3, 'c', id),
    ]);

    child.stdin!.write('x');
    await expect.poll(screen).toBe('abx');
    await expect.poll(() => agent.requests.length).toBe(4);
    child.stdin!.write('y');

    await expect.poll(() => agent.requests.length).toBe(6);
    expect(screen()).toBe('abxcd');
    expect(agent.arguments[4]).toMatchObject({ input: 'eQ==', 'input-offset': 1, 'output-offset': 3 });
    expect(agent.arguments[5]).toMatchObject({ 'output-offset': 5 });
    expect(agent.arguments[5]).not.toHaveProperty('input');
    child.detach();
    client.close();
  });

  it('is brought again where the answers are lost', async () => {
    let first = '';
    const { agent, client, child, screen } = await typing([
      (id) => void (first = id),
      () => 'nonsense\n',
      (id) => said(0, 0, '', id),
      (id) => said(1, 0, 'x', id),
    ]);

    child.stdin!.write('x');

    await expect.poll(screen).toBe('x');
    expect(first).not.toBe('');
    expect(agent.arguments[4]).toMatchObject({ input: 'eA==', 'input-offset': 0 });
    child.detach();
    client.close();
  });

  it('goes out again at once where the agent died without the answer before it, in its place and once', async () => {
    const { agent, client, child, screen } = await typing([
      () => undefined,
      (id) => said(1, 0, 'x', id),
      (id) => said(1, 0, 'x', id),
      () => undefined,
    ]);
    const events: string[] = [];
    child.on('interrupted', (error) => events.push(error.message)).on('resumed', () => events.push('resumed'));

    child.stdin!.write('x');

    await expect.poll(screen).toBe('x');
    expect(events).toEqual(['an answer is lost: the agent has answered what it was asked later', 'resumed']);
    expect(agent.arguments[3]).toMatchObject({ input: 'eA==', 'input-offset': 0, 'output-offset': 0 });
    await expect.poll(() => agent.requests.length).toBe(5);
    expect(agent.arguments[4]).toMatchObject({ 'output-offset': 1 });
    expect(agent.arguments[4]).not.toHaveProperty('input');
    child.detach();
    client.close();
  });

  it('asks from where its answers are, when the agent has answered another one that was sent behind a lost one', async () => {
    let held = '';
    const { agent, client, child, screen } = await typing([
      (id) => void (held = id),
      () => undefined,
      // It has heard by this that everything before offset 2 was seen, and refuses to tell of it again.
      (id) => said(2, 2, 'y', id),
      (id) => said(2, 2, 'y', id),
      () => undefined,
    ]);
    child.stdin!.write('x');
    await expect.poll(() => agent.requests.length).toBe(3);
    agent.say(said(0, 0, 'ab', held));
    await expect.poll(screen).toBe('ab');

    child.stdin!.write('y');

    await expect.poll(screen).toBe('aby');
    expect(agent.arguments.slice(3, 5)).toMatchObject([{ 'output-offset': 2 }, { input: 'eHk=', 'input-offset': 0, 'output-offset': 2 }]);
    child.detach();
    client.close();
  });

  it('is typed again where an agent could not read the rest of what another one had begun to read', async () => {
    const { client, child, screen } = await typing([
      () => '{"error": {"class": "GenericError", "desc": "JSON parse error"}}\n',
      (id) => said(0, 0, 'ab', id),
      () => undefined,
    ]);

    await expect.poll(screen).toBe('ab');
    expect(child.stdout!.destroyed).toBe(false);
    child.detach();
    client.close();
  });

  it('holds up no other call, whose answer comes behind its own', async () => {
    let held = '';
    let second = '';
    const { agent, client, child, screen } = await typing([(id) => void (held = id), (id) => void (second = id)]);
    child.stdin!.write('x');
    await expect.poll(() => agent.requests.length).toBe(3);

    const pinged = client.execute('guest-ping');
    agent.say(said(0, 0, '', held));
    await expect.poll(() => agent.requests).toContain('guest-ping');
    agent.say(said(1, 0, 'x', second));

    await expect.poll(screen).toBe('x');
    child.detach();
    client.close();
    await pinged.catch(() => undefined);
  });

  it('asks for an answer with a ping where the agent does not tell answers apart', async () => {
    const { agent, client, child, screen } = await typing([() => void 0, (id) => said(1, 0, 'x', id)], false);

    child.stdin!.write('x');
    await expect.poll(() => agent.requests).toContain('guest-ping');

    expect(agent.requests.filter((name) => name === EXCHANGE)).toHaveLength(1);
    expect(screen()).toBe('');
    child.detach();
    client.close();
  });
});
