// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from 'vitest';

import { settled } from '../../../adapters/fake/clock.ts';
import { FakeKeeper } from '../../../adapters/fake/keeper.ts';
import { FakeLog } from '../../../adapters/fake/log.ts';
import { createFakeMachine, type FakeMachine } from '../../../adapters/fake/machine.ts';
import type { ProgramFunction } from '../../../adapters/fake/programs.ts';
import { FakeStateStore } from '../../../adapters/fake/state-store.ts';
import { FakeTransport, type FakeHostEnd } from '../../../adapters/fake/transport.ts';
import { Agent } from '../../../core/agent.ts';
import { handlers } from '../../../core/commands/index.ts';
import { FreezeController } from '../../../core/freeze/controller.ts';
import { SEEN_RESULT_MS } from '../../../core/state/processes.ts';
import { request } from './agent-on-fake.ts';

const afterMs = 60_000;
const deadlineMs = 600_000;

let machine: FakeMachine;
let transport: FakeTransport;
let keeper: FakeKeeper;

/** A guest whose agents come and go, with a host that is there all the time. */
async function keptGuest(program?: ProgramFunction): Promise<FakeHostEnd> {
  machine = createFakeMachine(program === undefined ? {} : { files: { '/bin/program': { program } } });
  const stateStore = new FakeStateStore({ bootId: machine.bootId });
  const log = new FakeLog();
  transport = new FakeTransport();
  keeper = new FakeKeeper({
    transport,
    start: async (kept) => {
      const freeze = FreezeController.on(machine.backend, {
        stateStore,
        log,
        settings: { deadlineMs, withinMs: 0, excluded: [], unknownMountPoints: 'error' },
      });
      await freeze?.recoverAtStart();
      return new Agent({
        backend: machine.backend, handlers, freeze, log, stateStore,
        lists: { allow: [], block: [] },
        version: '10.2.0',
        sleep: { keeper: kept, afterMs },
      });
    },
  });
  await keeper.begin();
  return transport.connect();
}

let host: FakeHostEnd;

beforeEach(async () => {
  host = await keptGuest();
});

const pass = (ms: number): Promise<void> => machine.clock.advance(ms);

async function ask(execute: string, args?: object): Promise<unknown> {
  host.send(request(execute, args));
  return (JSON.parse(await host.nextLine()) as { return: unknown }).return;
}

describe('an agent goes to sleep', () => {
  it('when nothing has been asked for since it began to serve', async () => {
    await pass(afterMs - 1);
    expect(keeper.isAsleep).toBe(false);

    await pass(1);

    expect(keeper.isAsleep).toBe(true);
  });

  it('so long after the last request, not after the first', async () => {
    await pass(afterMs / 2);
    await ask('guest-ping');
    await pass(afterMs - 1);
    expect(keeper.isAsleep).toBe(false);

    await pass(1);

    expect(keeper.isAsleep).toBe(true);
  });

  it('and the next request starts another one, which answers it', async () => {
    await pass(afterMs);

    expect(await ask('guest-ping')).toEqual({});

    expect(keeper.starts).toBe(2);
  });

  it('and the next one tells of the restore that the one before it saw, counts on, and sees what came while both slept', async () => {
    machine.generation.restored(3_600_000);
    await pass(afterMs);
    expect([keeper.isAsleep, machine.generation.listeners]).toEqual([true, 0]);
    machine.clock.standStill(3_600_000);

    const time = await ask('guest-get-time');

    expect(time).toBe(Number(machine.clock.hardware()));
    expect(await ask('__org.concierge_generation')).toMatchObject({ number: 1, clock: { result: 'stepped', occasion: 'host' } });
    machine.generation.announce();
    expect(await ask('__org.concierge_generation')).toMatchObject({ number: 2 });
  });

  it('and the next one finds the generation that only a page tells of, before it answers', async () => {
    machine.generation.installed.push({ name: 'id' });
    machine.generation.mark('generation');
    await ask('guest-ping');
    await settled();
    await pass(afterMs);
    expect(keeper.isAsleep).toBe(true);
    machine.clock.standStill(3_600_000);
    machine.generation.mark('generation');

    expect(await ask('guest-get-time')).toBe(Number(machine.clock.hardware()));

    await settled();
    expect(await ask('__org.concierge_generation')).toMatchObject({ number: 2, hooks: [{ name: 'id', ok: true }] });
    expect(machine.generation.runs.map(({ from, to }) => [from, to])).toEqual([[0, 1], [1, 2]]);
  });

  it('again and again', async () => {
    for (let turn = 1; turn <= 20; turn++) {
      await pass(afterMs);
      expect(keeper.isAsleep).toBe(true);
      expect(await ask('guest-ping')).toEqual({});
      expect(keeper.starts).toBe(turn + 1);
    }
  });

  it('not while a request is unfinished, however long, and once it is answered', async () => {
    host.send('{"execute": "guest-');
    await pass(10 * afterMs);
    expect(keeper.isAsleep).toBe(false);

    host.send('ping"}\n');

    expect(await host.nextLine()).toBe('{"return": {}}');
    await pass(afterMs);
    expect(keeper.isAsleep).toBe(true);
  });

  it('after a host has left with an unfinished request', async () => {
    host.send('{"execute": "guest-');
    await pass(2 * afterMs);

    host.changeHost();
    await pass(afterMs);

    expect(keeper.isAsleep).toBe(true);
  });

  it('after a client has closed its connection with one', async () => {
    host.send('{"execute": "guest-');
    await pass(2 * afterMs);

    host.close();
    await settled();
    await pass(afterMs);

    expect(keeper.isAsleep).toBe(true);
  });

  it('not while a request is worked on, and so long after its end', async () => {
    const fault = machine.faults.inject({ port: 'fileSystem.files', method: 'open', hang: true });
    host.send(request('guest-file-open', { path: '/etc/motd' }));
    await pass(10 * afterMs);

    expect(keeper.isAsleep).toBe(false);

    fault.release();
    const { return: handle } = JSON.parse(await host.nextLine()) as { return: number };
    await ask('guest-file-close', { handle });
    await pass(afterMs - 1);
    expect(keeper.isAsleep).toBe(false);
    await pass(1);
    expect(keeper.isAsleep).toBe(true);
  });

  it('not while a file is open', async () => {
    const handle = await ask('guest-file-open', { path: '/etc/motd' });
    await pass(10 * afterMs);
    expect(keeper.isAsleep).toBe(false);

    await ask('guest-file-close', { handle });
    await pass(afterMs);

    expect(keeper.isAsleep).toBe(true);
  });

  it('not while file systems are frozen, and so long after the thaw', async () => {
    await ask('guest-fsfreeze-freeze');
    await pass(300_000);
    expect(keeper.isAsleep).toBe(false);

    await ask('guest-fsfreeze-thaw');
    await pass(afterMs);

    expect(keeper.isAsleep).toBe(true);
  });

  it('not while something would not thaw, which is tried again until it does', async () => {
    await ask('guest-fsfreeze-freeze');
    machine.faults.inject({ port: 'kernel', method: 'fithaw', on: '/boot', error: 'EIO', times: Infinity });
    host.send(request('guest-fsfreeze-thaw'));
    await host.nextLine();
    await pass(10 * afterMs);
    expect(keeper.isAsleep).toBe(false);
    expect(machine.fileSystems.frozen).toEqual(['/boot']);

    machine.faults.clear();
    await pass(afterMs);
    expect(machine.fileSystems.frozen).toEqual([]);
    await pass(afterMs);

    expect(keeper.isAsleep).toBe(true);
  });

  it('not while the hooks of a freeze that has ended by its deadline are run', async () => {
    machine.hooks.installed.push({ name: 'database', phases: { thaw: { takesMs: 2 * afterMs } } });
    await ask('guest-fsfreeze-freeze');
    await pass(deadlineMs);
    await ask('guest-ping');
    await pass(2 * afterMs - 1);
    expect(keeper.isAsleep).toBe(false);

    await pass(1 + afterMs);

    expect(keeper.isAsleep).toBe(true);
  });

  it('not while an answer waits to be taken, and tries again', async () => {
    host.stall();
    host.send(request('guest-ping'));
    await settled();
    await pass(3 * afterMs);
    expect(keeper.isAsleep).toBe(false);

    host.resume();
    await pass(afterMs);

    expect(keeper.isAsleep).toBe(true);
  });

  it('never where it ends first', async () => {
    const agent = new Agent({
      backend: machine.backend, handlers, freeze: undefined, log: new FakeLog(), stateStore: new FakeStateStore(),
      lists: { allow: [], block: [] },
      version: '10.2.0',
      sleep: { keeper: { sleep: () => expect.unreachable() }, afterMs },
    });
    agent.ready();

    await agent.stop();

    await pass(2 * afterMs);
  });

  it('never without a keeper', async () => {
    const agent = new Agent({
      backend: machine.backend, handlers, freeze: undefined, log: new FakeLog(), stateStore: new FakeStateStore(),
      lists: { allow: [], block: [] },
      version: '10.2.0',
    });

    agent.ready();

    await agent.stop();
  });
});

describe('what a host says while nobody reads', () => {
  it('is answered whole by the next agent, in order', async () => {
    await pass(afterMs);

    host.send(request('guest-sync', { id: 1 }) + request('guest-sync', { id: 2 }) + '{"execute": "guest-sy');
    host.send('nc", "arguments": {"id": 3}}\n');

    expect(await host.nextLine()).toBe('{"return": 1}');
    expect(await host.nextLine()).toBe('{"return": 2}');
    expect(await host.nextLine()).toBe('{"return": 3}');
    expect(keeper.starts).toBe(2);
  });

  it('byte by byte, is too', async () => {
    await pass(afterMs);

    host.send(request('guest-sync', { id: 7 }), 1);

    expect(await host.nextLine()).toBe('{"return": 7}');
  });

  it('as the first thing of a host that has just come, is too', async () => {
    await pass(afterMs);

    const other = transport.connect();
    other.send(request('guest-ping'));

    expect(await other.nextLine()).toBe('{"return": {}}');
    expect(await ask('guest-ping')).toEqual({});
  });
});

describe('results of programs', () => {
  const run = async (program: ProgramFunction): Promise<unknown> => {
    host = await keptGuest(program);
    return ((await ask('guest-exec', { path: '/bin/program', 'capture-output': true })) as { pid: unknown }).pid;
  };

  it('are answered by the next agent, with their output and status', async () => {
    const pid = await run((io) => {
      io.print('whole ');
      io.print('output');
      io.complain('oh');
      return 3;
    });
    await settled();
    await pass(afterMs);
    expect(keeper.isAsleep).toBe(true);

    const status = await ask('guest-exec-status', { pid });

    expect(status).toMatchObject({ exited: true, exitcode: 3, 'out-data': Buffer.from('whole output').toString('base64'), 'err-data': Buffer.from('oh').toString('base64') });
  });

  it('are forgotten when they have been seen, also by agents that sleep in between', async () => {
    const pid = await run(() => 0);
    await settled();
    await pass(afterMs / 2);
    await ask('guest-exec-status', { pid });
    await pass(afterMs - 1);
    expect(keeper.isAsleep).toBe(false);
    await pass(SEEN_RESULT_MS);

    host.send(request('guest-exec-status', { pid }));

    expect(await host.nextLine()).toContain('does not exist');
  });

  it('are cut as they are without a sleep in between', async () => {
    const pid = await run((io) => {
      io.print('x'.repeat(17 * 1024 * 1024));
      return 0;
    });
    await settled();
    await pass(afterMs);
    expect(keeper.isAsleep).toBe(true);

    const status = (await ask('guest-exec-status', { pid })) as { 'out-data': string; 'out-truncated': boolean };

    expect(status['out-truncated']).toBe(true);
    expect(Buffer.from(status['out-data'], 'base64').length).toBe(16 * 1024 * 1024);
  });

  it('are there after an agent was killed, of programs that went on meanwhile too', async () => {
    const pid = await run(async (io) => {
      io.print('before ');
      await io.sleep(1000);
      io.print('after');
      return 3;
    });
    await settled();
    await keeper.kill();
    expect(await ask('guest-exec-status', { pid })).toEqual({ exited: false });
    await pass(1000);

    expect(await ask('guest-exec-status', { pid })).toMatchObject({ exited: true, exitcode: 3, 'out-data': Buffer.from('before after').toString('base64') });
  });

  it('keep no agent awake while a program runs of which only the end is to be known', async () => {
    host = await keptGuest(async (io) => {
      await io.sleep(10 * afterMs);
      return 4;
    });
    const { pid } = (await ask('guest-exec', { path: '/bin/program' })) as { pid: number };
    await pass(afterMs);
    expect(keeper.isAsleep).toBe(true);
    expect(await ask('guest-exec-status', { pid })).toEqual({ exited: false });

    await pass(10 * afterMs);

    expect(await ask('guest-exec-status', { pid })).toEqual({ exited: true, exitcode: 4 });
  });

  it('keep the agent awake while a program runs whose output is captured', async () => {
    await run(async (io) => {
      await io.sleep(10 * afterMs);
      return 0;
    });

    await pass(9 * afterMs);
    expect(keeper.isAsleep).toBe(false);

    await pass(2 * afterMs);
    expect(keeper.isAsleep).toBe(true);
  });
});

describe('the report of the last freeze', () => {
  it('is told by the next agent, and by the one after it', async () => {
    await ask('guest-fsfreeze-freeze');
    await ask('guest-fsfreeze-thaw');
    const before = await ask('__org.concierge_fsfreeze-report');
    await pass(afterMs);

    expect(await ask('__org.concierge_fsfreeze-report')).toEqual(before);

    await pass(afterMs);
    expect(await ask('__org.concierge_fsfreeze-report')).toEqual(before);
    expect(keeper.starts).toBe(3);
  });

  it('gives way to that of a new one', async () => {
    await ask('guest-fsfreeze-freeze');
    await ask('guest-fsfreeze-thaw');
    const before = await ask('__org.concierge_fsfreeze-report');
    await pass(afterMs);
    await ask('guest-fsfreeze-freeze');

    expect(await ask('__org.concierge_fsfreeze-report')).not.toEqual(before);
  });
});

describe('an agent that is killed', () => {
  it('is followed by one that serves the same host', async () => {
    await keeper.kill();

    expect(await ask('guest-ping')).toEqual({});
    expect(host.isClosed).toBe(false);
  });

  it('while file systems are frozen leaves them frozen, and the next one thaws', async () => {
    const frozen = await ask('guest-fsfreeze-freeze');
    await keeper.kill();

    expect(await ask('guest-fsfreeze-status')).toBe('frozen');
    expect(await ask('guest-fsfreeze-thaw')).toBe(frozen);
  });

  it('leaves open files open, at their positions and under their handles', async () => {
    const handle = await ask('guest-file-open', { path: '/etc/motd' });
    const first = (await ask('guest-file-read', { handle, count: 3 })) as { 'buf-b64': string };
    await keeper.kill();

    const rest = (await ask('guest-file-read', { handle })) as { 'buf-b64': string; eof: boolean };

    const whole = await ask('guest-file-open', { path: '/etc/motd' });
    expect(Number(whole)).toBeGreaterThan(Number(handle));
    const { 'buf-b64': all } = (await ask('guest-file-read', { handle: whole })) as { 'buf-b64': string };
    const text = (base64: string): string => Buffer.from(base64, 'base64').toString();
    expect(text(first['buf-b64']) + text(rest['buf-b64'])).toBe(text(all));
  });

  it('in the middle of a request loses that one alone', async () => {
    machine.faults.inject({ port: 'fileSystem.files', method: 'open', hang: true });
    host.send(request('guest-file-open', { path: '/etc/motd' }) + request('guest-ping'));
    await settled();

    await keeper.kill();
    host.send(request('guest-sync', { id: 9 }));

    expect(await host.nextLine()).toBe('{"return": 9}');
  });
});

describe('an agent that is to make room for an update', () => {
  it('does so at once while it is quiet, and nobody notices', async () => {
    keeper.renew();
    await pass(0);

    expect(keeper.starts).toBe(2);
    expect(keeper.isAsleep).toBe(false);
    expect(await ask('guest-ping')).toEqual({});
  });

  it('waits until a request is answered and its file is closed', async () => {
    const handle = await ask('guest-file-open', { path: '/etc/motd' });
    keeper.renew();
    await pass(10_000);
    expect(keeper.starts).toBe(1);

    await ask('guest-file-close', { handle });
    await pass(0);

    expect(keeper.starts).toBe(2);
  });

  it('waits for a freeze to end, also where nobody says a word', async () => {
    await ask('guest-fsfreeze-freeze');
    keeper.renew();
    await pass(deadlineMs - 1);
    expect(keeper.starts).toBe(1);

    await pass(1);

    expect(keeper.starts).toBe(2);
  });

  it('waits for an answer to be taken', async () => {
    host.stall();
    host.send(request('guest-ping'));
    await settled();
    keeper.renew();
    await pass(5000);
    expect(keeper.starts).toBe(1);

    host.resume();
    await pass(1000);

    expect(keeper.starts).toBe(2);
    expect(await host.nextLine()).toBe('{"return": {}}');
  });

  it('does so also where it never sleeps otherwise', async () => {
    let slept = 0;
    let renew = (): void => undefined;
    const agent = new Agent({
      backend: machine.backend, handlers, freeze: undefined, log: new FakeLog(), stateStore: new FakeStateStore(),
      lists: { allow: [], block: [] },
      version: '10.2.0',
      sleep: { keeper: { sleep: () => (slept += 1) > 0, onRenewal: (listener) => (renew = listener) } },
    });
    agent.ready();
    await pass(10 * afterMs);
    expect(slept).toBe(0);

    renew();
    await pass(0);

    expect(slept).toBe(1);
    await agent.stop();
  });
});
