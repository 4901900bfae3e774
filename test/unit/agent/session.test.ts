// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { settled } from '../../../adapters/fake/clock.ts';
import type { FakeHostEnd } from '../../../adapters/fake/transport.ts';
import { handler, Base64Piece, PreparedAnswer } from '../../../core/commands/command.ts';
import { handlers } from '../../../core/commands/index.ts';
import { MAX_UNDER_WAY } from '../../../core/dispatch.ts';
import type { ConnectionSink } from '../../../core/ports/index.ts';
import { command } from '../../../core/schema/command.ts';
import { str } from '../../../core/schema/types.ts';
import { agentOnFake, refusal, request } from './agent-on-fake.ts';

const ping = request('guest-ping');
const delimited = (id: number): string => request('guest-sync-delimited', { id });

/** A command of the test's own that answers with whatever it is told to. */
const answering = (name: string, answer: () => PreparedAnswer | Promise<string> | string) => [
  ...handlers,
  handler(command({ name, since: 'test', group: 'observe', summary: '', result: str }), answer),
];

describe('a session', () => {
  it('answers requests in the order in which they came, however they were cut', async () => {
    const { connect } = await agentOnFake();
    const host = connect();

    host.send(request('guest-sync', { id: 1 }) + request('guest-file-open', { path: '/etc/hostname' }) + request('guest-sync', { id: 2 }), 7);

    expect([await host.nextLine(), await host.nextLine(), await host.nextLine()]).toEqual(['{"return": 1}', '{"return": 1000}', '{"return": 2}']);
  });

  it('puts one 0xFF in front of the success of guest-sync-delimited and nowhere else', async () => {
    const { connect } = await agentOnFake();
    const host = connect();

    host.send(request('guest-sync-delimited', { id: 'x' }) + delimited(5) + ping);

    expect(await host.nextLine()).toBe(refusal("Invalid parameter type for 'id', expected: integer"));
    expect(await host.nextLine()).toBe('\xff{"return": 5}');
    expect(await host.nextLine()).toBe('{"return": {}}');
  });

  it('echoes the id behind a result and before an error', async () => {
    const { connect } = await agentOnFake();
    const host = connect();

    host.send(request('guest-ping', undefined, { a: [1, null] }) + request('nope', undefined, 7));

    expect(await host.nextLine()).toBe('{"return": {}, "id": {"a": [1, null]}}');
    expect(await host.nextLine()).toBe('{"id": 7, "error": {"class": "CommandNotFound", "desc": "The command nope has not been found"}}');
  });

  it('answers what fails later like what fails at once, with its id, and takes the next', async () => {
    const { machine, connect } = await agentOnFake();
    machine.faults.inject({ port: 'fileSystem.files', method: 'open', error: 'EIO' });
    const host = connect();

    host.send(request('guest-file-open', { path: '/x' }, 7) + delimited(1));

    expect(await host.nextLine()).toBe('{"id": 7, "error": {"class": "GenericError", "desc": "failed to open file \'/x\' (mode: \'r\'): Input/output error"}}');
    expect(await host.nextLine()).toBe('\xff{"return": 1}');
  });

  it('echoes the id behind an answer that the handler has prepared', async () => {
    const { connect } = await agentOnFake({ machine: { files: { '/three': 'abc' } } });
    const host = connect();

    host.send(request('guest-file-open', { path: '/three' }) + request('guest-file-read', { handle: 1000 }, 'x'));
    await host.nextLine();

    expect(await host.nextLine()).toBe('{"return": {"count": 3, "buf-b64": "YWJj", "eof": true}, "id": "x"}');
  });

  it('goes on after every malformed request', async () => {
    const { connect } = await agentOnFake();
    const host = connect();

    host.send(`nonsense\n[]\n{"execute": 1}\n${ping}`);

    expect(await host.nextLine()).toBe(refusal("1:1: JSON parse error, invalid keyword 'nonsense'"));
    expect(await host.nextLine()).toBe(refusal('QMP input must be a JSON object'));
    expect(await host.nextLine()).toBe(refusal("QMP input member 'execute' must be a string"));
    expect(await host.nextLine()).toBe('{"return": {}}');
  });

  it('answers others while one host waits for a slow command', async () => {
    const { machine, connect } = await agentOnFake();
    const fault = machine.faults.inject({ port: 'fileSystem.files', method: 'open', hang: true });
    const slow = connect();
    const quick = connect();

    slow.send(request('guest-file-open', { path: '/etc/hostname' }) + ping);
    quick.send(ping);
    const answered = await quick.nextLine();
    const early = [...slow.received];
    fault.release();

    expect(answered).toBe('{"return": {}}');
    expect(early).toEqual([]);
    expect(await slow.nextLine()).toBe('{"return": 1000}');
    expect(await slow.nextLine()).toBe('{"return": {}}');
  });

  it('gives the next host of a port nothing that was begun for the last one', async () => {
    const { machine, connect } = await agentOnFake();
    const fault = machine.faults.inject({ port: 'fileSystem.files', method: 'open', hang: true });
    const host = connect();

    host.send(request('guest-file-open', { path: '/etc/hostname' }));
    await expect.poll(() => fault.hanging).toBe(1);
    host.send('{"execute":"guest-');
    host.changeHost();
    fault.release();
    host.send(delimited(9));

    expect(await host.nextLine()).toBe('\xff{"return": 9}');
  });

  it('says nothing on success of a command without an answer, and takes the next', async () => {
    const { machine, connect } = await agentOnFake();
    const host = connect();

    host.send(request('guest-shutdown', { mode: 'reboot' }) + delimited(3));

    expect(await host.nextLine()).toBe('\xff{"return": 3}');
    expect(machine.power.events).toHaveLength(1);
  });

  it('waits with a long answer for a host that does not read, and holds little of it meanwhile', async () => {
    const { connect } = await agentOnFake({ machine: { files: { '/big': { bytes: new Uint8Array(4 * 1024 * 1024) } } }, highWater: 65_536 });
    const host = connect();
    host.send(request('guest-file-open', { path: '/big' }));
    await host.nextLine();

    host.stall();
    host.send(request('guest-file-read', { handle: 1000, count: 4 * 1024 * 1024 }) + delimited(1));
    await expect.poll(() => host.unreadBytes).toBeGreaterThan(65_536);
    const held = host.unreadBytes;
    host.resume();
    const answer = await host.nextLine();

    expect(held).toBeLessThan(1024 * 1024);
    expect(answer.endsWith('"count": 4194304, "eof": false}}')).toBe(true);
    expect(await host.nextLine()).toBe('\xff{"return": 1}');
  });

  it('gives a file back when its reader vanishes in the middle of an answer', async () => {
    const { connect } = await agentOnFake({ machine: { files: { '/big': { bytes: new Uint8Array(4 * 1024 * 1024) } } }, highWater: 65_536 });
    const first = connect();
    first.send(request('guest-file-open', { path: '/big' }));
    await first.nextLine();
    first.stall();
    first.send(request('guest-file-read', { handle: 1000, count: 4 * 1024 * 1024 }));
    await expect.poll(() => first.unreadBytes).toBeGreaterThan(65_536);

    first.close();
    const second = connect();
    second.send(request('guest-file-seek', { handle: 1000, offset: 0, whence: 'set' }));

    expect(await second.nextLine()).toBe('{"return": {"eof": false, "position": 0}}');
  });

  it('lets go of an answer whose next piece hangs when another host takes over', async () => {
    let asked = 0;
    const stuck = answering('test-stuck', () =>
      new PreparedAnswer({
        [Symbol.asyncIterator]: () => ({
          next: () => {
            asked += 1;
            return asked === 1 ? Promise.resolve({ done: false as const, value: '"begun' }) : new Promise<never>(() => {});
          },
        }),
      }),
    );
    const { connect } = await agentOnFake({ handlers: stuck });
    const host = connect();
    host.send(request('test-stuck'));
    await expect.poll(() => asked).toBe(2);

    host.changeHost();
    host.send(delimited(4));

    expect(await host.nextLine()).toBe('\xff{"return": 4}');
  });

  it('forgets half a request of a host that went away between two requests', async () => {
    const { connect } = await agentOnFake();
    const host = connect();
    host.send(`${delimited(1)}{"execute": "guest-`);
    await host.nextLine();
    await settled();

    host.changeHost();
    host.send(delimited(2));

    expect(await host.nextLine()).toBe('\xff{"return": 2}');
  });

  it('answers the next host of a port although what the last one asked for hangs', async () => {
    const { machine, connect } = await agentOnFake();
    const fault = machine.faults.inject({ port: 'fileSystem.files', method: 'open', hang: true });
    const host = connect();
    host.send(request('guest-file-open', { path: '/etc/hostname' }));
    await expect.poll(() => fault.hanging).toBe(1);

    host.changeHost();
    host.send(delimited(4) + request('guest-fsfreeze-status'));
    const meanwhile = [await host.nextLine(), await host.nextLine()];
    fault.release();
    await settled();
    host.send(request('guest-file-close', { handle: 1000 }));

    expect(meanwhile).toEqual(['\xff{"return": 4}', '{"return": "thawed"}']);
    expect(await host.nextLine()).toBe(refusal("handle '1000' has not been found"));
    expect(host.received).toHaveLength(3);
  });

  it('closes a file that is open only after its host has left, however often that happens', async () => {
    const { machine, log, connect } = await agentOnFake();
    const closed = (): number => log.texts('info').filter((text) => text.startsWith('the host that asked for handle')).length;
    for (let round = 0; round < 5; round += 1) {
      const fault = machine.faults.inject({ port: 'fileSystem.files', method: 'open', hang: true, times: 240 });
      const hosts = Array.from({ length: 240 }, () => connect());
      for (const host of hosts) host.send(request('guest-file-open', { path: '/etc/hostname' }));
      await expect.poll(() => fault.hanging).toBe(240);
      hosts.forEach((host, index) => (index % 2 === 0 ? host.close() : host.changeHost()));
      await settled();
      fault.release();
      await expect.poll(closed).toBe((round + 1) * 240);
      for (const host of hosts) host.close();
    }
    const host = connect();

    host.send(request('guest-file-open', { path: '/etc/hostname' }));

    expect(await host.nextLine()).toBe('{"return": 2200}');
  });

  it('logs what the system says of closing a file that nobody was told of', async () => {
    const { machine, log, connect } = await agentOnFake();
    const fault = machine.faults.inject({ port: 'fileSystem.files', method: 'open', hang: true });
    machine.faults.inject({ port: 'fileSystem.files.openFile', method: 'close', error: 'EIO' });
    const host = connect();
    host.send(request('guest-file-open', { path: '/etc/hostname' }));
    await expect.poll(() => fault.hanging).toBe(1);

    host.changeHost();
    fault.release();

    await expect.poll(() => log.texts('info')).toContain('failed to close handle 1000: Input/output error');
  });

  it('lets the next host of a port have a long answer while the last one\'s breaks off, and lets go of it in its turn', async () => {
    let asked = 0;
    const long = answering('test-long', () => {
      asked += 1;
      const name = asked;
      let pieces = 0;
      return new PreparedAnswer({
        [Symbol.asyncIterator]: () => ({
          next: () => {
            pieces += 1;
            return pieces === 1 ? Promise.resolve({ done: false as const, value: `"${name}` }) : new Promise<never>(() => {});
          },
        }),
      });
    });
    const { connect } = await agentOnFake({ handlers: long });
    const host = connect();
    for (const partial of ['{"return": "1', '{"return": "2', '{"return": "3']) {
      host.send(request('test-long'));
      await expect.poll(() => Buffer.from(host.partial).toString()).toBe(partial);
      host.changeHost();
    }

    host.send(delimited(6));

    expect(await host.nextLine()).toBe('\xff{"return": 6}');
  });

  it('keeps what a transport still delivers although it was asked to pause', async () => {
    const { agent, machine } = await agentOnFake();
    const fault = machine.faults.inject({ port: 'fileSystem.files', method: 'open', hang: true });
    const sent: string[] = [];
    let sink: ConnectionSink | undefined;
    agent.serve({
      start: (its) => { sink = its; },
      write: (bytes) => { sent.push(Buffer.from(bytes as string, 'latin1').toString('latin1')); return true; },
      pause: () => undefined, resume: () => undefined, close: () => undefined,
    });
    const chunk = Buffer.from(request('guest-sync', { id: 8 }));

    sink!.data(Buffer.from(request('guest-file-open', { path: '/etc/hostname' })));
    sink!.data(chunk);
    chunk.fill(0);
    fault.release();

    await expect.poll(() => sent).toEqual(['{"return": 1000}\n', '{"return": 8}\n']);
  });

  it('lets an answer that breaks off cost nobody but its own host the connection', async () => {
    let host: FakeHostEnd | undefined;
    const broken = answering('test-broken', () =>
      new PreparedAnswer({
        [Symbol.asyncIterator]: () => ({
          next: () => {
            host?.changeHost();
            throw new Error('the source dried up');
          },
        }),
      }),
    );
    const { connect, log } = await agentOnFake({ handlers: broken });
    host = connect();

    host.send(request('test-broken'));
    await expect.poll(() => log.lines.map(({ text }) => text)).toContain('an answer broke off: the source dried up');
    host.send(delimited(2));

    expect(await host.nextLine()).toBe('\xff{"return": 2}');
    expect(host.isClosed).toBe(false);
  });

  it('begins no long answer for a host that has gone, and gives the file back', async () => {
    const { machine, connect } = await agentOnFake({ machine: { files: { '/big': { bytes: new Uint8Array(4 * 1024 * 1024) } } } });
    const first = connect();
    first.send(request('guest-file-open', { path: '/big' }));
    await first.nextLine();
    const fault = machine.faults.inject({ port: 'fileSystem.files.openFile', method: 'read', hang: true });
    first.send(request('guest-file-read', { handle: 1000, count: 4 * 1024 * 1024 }));
    await expect.poll(() => fault.hanging).toBe(1);

    first.close();
    fault.release();
    const second = connect();
    second.send(request('guest-file-seek', { handle: 1000, offset: 0, whence: 'cur' }));

    // One piece was asked for before the host went, and at most one was read ahead.
    expect(JSON.parse(await second.nextLine())).toEqual({ return: { eof: false, position: expect.toSatisfy((at: number) => at < 1024 * 1024) } });
  });

  it('does what a host has asked for before it left', async () => {
    const { machine, connect } = await agentOnFake();
    const fault = machine.faults.inject({ port: 'fileSystem.files', method: 'open', hang: true });
    const host = connect();
    host.send(request('guest-file-open', { path: '/etc/hostname' }) + request('guest-shutdown'));
    await expect.poll(() => fault.hanging).toBe(1);

    host.close();
    fault.release();

    await expect.poll(() => machine.power.events.map(({ kind }) => kind)).toEqual(['shutdown']);
  });

  it('refuses a request that is too large beside those of other hosts, and goes on', async () => {
    const { connect, log } = await agentOnFake();
    const half = `{"execute": "${'x'.repeat(60 * 1024 * 1024)}`;
    const piece = 128 * 1024;
    const [first, second, third] = [connect(), connect(), connect()];

    first.send(half);
    second.send(half);
    third.send(`${half}"}\n${ping}`, piece);

    expect(await third.nextLine()).toBe(refusal('JSON token size limit exceeded'));
    expect(await third.nextLine()).toBe('{"return": {}}');
    first.send('"}\n');
    expect((await first.nextLine()).slice(0, 35)).toBe('{"error": {"class": "CommandNotFoun');
    expect(log.lines.map(({ text }) => text)).toContain('the unfinished requests of all hosts together are too large: one of them is refused');
    second.close();
    third.send(`${half}"}\n`, piece);
    expect((await third.nextLine()).slice(0, 35)).toBe('{"error": {"class": "CommandNotFoun');
  });

  it('refuses more requests when so many hang, but for those that help to thaw', async () => {
    const { machine, connect } = await agentOnFake();
    const fault = machine.faults.inject({ port: 'fileSystem.files', method: 'open', hang: true, times: MAX_UNDER_WAY });
    const gone = Array.from({ length: MAX_UNDER_WAY }, () => connect());
    for (const host of gone) host.send(request('guest-file-open', { path: '/etc/hostname' }));
    await expect.poll(() => fault.hanging).toBe(MAX_UNDER_WAY);
    for (const host of gone) host.close();
    const host = connect();

    host.send(request('guest-file-open', { path: '/etc/hostname' }) + request('guest-fsfreeze-thaw'));

    expect(await host.nextLine()).toBe(refusal('256 requests are being worked on already'));
    expect(await host.nextLine()).toBe('{"return": 0}');
    fault.release();
    const answer = async (): Promise<string> => {
      host.send(request('guest-get-host-name'));
      return host.nextLine();
    };
    await expect.poll(answer).toContain('"host-name"');
  });

  it('closes the connection when an answer breaks off, and says so in the log', async () => {
    const broken = answering('test-broken', () =>
      new PreparedAnswer(
        (async function* pieces() {
          yield await Promise.resolve('"half');
          throw new Error('the source dried up');
        })(),
      ),
    );
    const { connect, log } = await agentOnFake({ handlers: broken });
    const host = connect();

    host.send(request('test-broken'));

    await expect.poll(() => host.isClosed).toBe(true);
    expect(log.lines.map(({ text }) => text)).toContain('an answer broke off: the source dried up');
  });

  it('sends prepared base64 between the head and the end of the answer', async () => {
    const bytes = answering('test-bytes', () => new PreparedAnswer(new Base64Piece('"', new TextEncoder().encode('raw'), '"')));
    const { connect } = await agentOnFake({ handlers: bytes });
    const host = connect();

    host.send(request('test-bytes', undefined, 1));

    expect(await host.nextLine()).toBe('{"return": "cmF3", "id": 1}');
  });

  it('turns what the schema forbids into an error that names the place', async () => {
    const wrong = answering('test-wrong', () => 5 as unknown as string);
    const { connect } = await agentOnFake({ handlers: wrong });
    const host = connect();

    host.send(request('test-wrong') + ping);

    expect(await host.nextLine()).toBe(refusal('internal error: test-wrong should be a string, but is number 5'));
    expect(await host.nextLine()).toBe('{"return": {}}');
  });
});

describe('an agent that stops', () => {
  it('thaws, then ends its conversations', async () => {
    const { machine, agent, connect } = await agentOnFake();
    const host = connect();
    host.send(request('guest-fsfreeze-freeze'));
    await host.nextLine();

    await agent.stop();

    expect(machine.fileSystems.get('/').frozen).toBe(false);
    expect(host.isClosed).toBe(true);
  });
});
