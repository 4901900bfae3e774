// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { settled } from '../../../adapters/fake/clock.ts';
import type { MachineDescription } from '../../../adapters/fake/description.ts';
import { FakeKeeper } from '../../../adapters/fake/keeper.ts';
import { FakeLog } from '../../../adapters/fake/log.ts';
import { createFakeMachine } from '../../../adapters/fake/machine.ts';
import type { ProgramFunction } from '../../../adapters/fake/programs.ts';
import { FakeStateStore } from '../../../adapters/fake/state-store.ts';
import { FakeTransport, type FakeHostEnd } from '../../../adapters/fake/transport.ts';
import { Agent, type AgentOptions } from '../../../core/agent.ts';
import { handlers } from '../../../core/commands/index.ts';
import { END_GRACE_MS } from '../../../core/state/program.ts';
import { SEEN_PROGRAM_MS } from '../../../core/state/programs.ts';
import { base64, text, type Answer } from '../commands/programs/support.ts';
import { request } from './agent-on-fake.ts';

const afterMs = 60_000;
const terminal = { rows: 24, columns: 80 };

/** Says again what it is told, line by line as it comes; ends with its input. */
const echo: ProgramFunction = async (io) => {
  for (let piece = await io.read(); piece !== undefined; piece = await io.read()) io.print(piece);
  return 3;
};

/** Ends at nothing but SIGKILL. */
const stubborn: ProgramFunction = (io) => {
  for (const name of ['TERM', 'HUP']) io.onSignal(name, () => io.print(`${name} `));
  return new Promise((resolve) => { io.killed.addEventListener('abort', () => resolve(0)); });
};

async function kept(description: Partial<MachineDescription> = {}, options: Partial<AgentOptions> = {}) {
  const machine = createFakeMachine({ ...description, files: { '/bin/echo-input': { program: echo }, '/bin/stubborn': { program: stubborn }, ...description.files } });
  const stateStore = new FakeStateStore({ bootId: machine.bootId });
  const transport = new FakeTransport();
  const agents: Agent[] = [];
  const keeper = new FakeKeeper({
    transport,
    start: async (port) => {
      const agent = new Agent({
        backend: machine.backend, handlers, freeze: undefined, log: new FakeLog(), stateStore,
        lists: { allow: [], block: [] }, version: '11.1.0', ...options,
        sleep: { keeper: port, afterMs },
      });
      agents.push(agent);
      return agent;
    },
  });
  await keeper.begin();
  const host = transport.connect();
  const ask = async <T>(name: string, args: object = {}, from: FakeHostEnd = host): Promise<T> => {
    from.send(request(`__org.concierge_exec-${name}`, args));
    const answer = JSON.parse(await from.nextLine()) as { return: T; error?: { desc: string } };
    if (answer.error !== undefined) throw new Error(answer.error.desc);
    return answer.return;
  };
  const start = async (path: string, args: object = {}, from: FakeHostEnd = host): Promise<number> => {
    const { program } = await ask<{ program: number }>('start', { path, ...args }, from);
    await settled();
    return program;
  };
  const now = (program: number, args: object = {}): Promise<Answer> => ask('exchange', { program, 'wait-ms': 0, ...args });
  const pass = (ms: number): Promise<void> => machine.clock.advance(ms);
  return { machine, transport, keeper, agents, host, ask, start, now, pass };
}

describe('a program that is conversed with, when its agent is killed', () => {
  it('goes on with the next one: what was read is told again, what was accepted is not given again', async () => {
    const { keeper, start, now, ask } = await kept();
    const program = await start('/bin/echo-input', { stdin: 'open' });
    await now(program, { input: base64('one '), 'input-offset': 0 });
    await settled();
    expect(text((await now(program, { 'output-offset': 0 })).output)).toBe('one ');
    const [before] = await ask<object[]>('list');

    await keeper.kill();

    expect(await ask('list')).toEqual([before]);
    expect(text((await now(program, { 'output-offset': 0 })).output)).toBe('one ');
    await now(program, { 'output-offset': 4, input: base64('one two'), 'input-offset': 0, 'end-of-input': true });
    await settled();
    expect(await now(program, { 'output-offset': 4 })).toMatchObject({ 'input-accepted': 7, 'input-ended': true, output: base64('two'), 'output-offset': 4, exited: true, exitcode: 3 });
    await keeper.kill();
    expect(await now(program, { 'output-offset': 7 })).toMatchObject({ 'input-accepted': 7, 'input-ended': true, 'output-offset': 7, 'output-ended': true, exited: true, exitcode: 3 });
    await expect(now(program, { 'output-offset': 3 })).rejects.toThrow('is forgotten');
    await ask('forget', { program });
    await keeper.kill();
    expect(await ask('list')).toEqual([]);
  });

  it('tells errors as well as output, each from where its host was', async () => {
    const { keeper, start, now } = await kept({ files: { '/bin/both': { program: async (io) => { io.print('out'); io.complain('wrong'); await io.read(); } } } });
    const program = await start('/bin/both', { stdin: 'open' });
    await now(program, { 'output-offset': 0, 'errors-offset': 0 });
    await now(program, { 'errors-offset': 2 });

    await keeper.kill();

    expect(await now(program)).toMatchObject({ output: base64('out'), 'output-offset': 0, errors: base64('ong'), 'errors-offset': 2 });
  });

  it('has the terminal that it had', async () => {
    const { keeper, start, now, ask } = await kept();
    const program = await start('/bin/echo-input', { terminal });
    await ask('resize', { program, rows: 30, columns: 90 });

    await keeper.kill();

    expect(await ask('list')).toMatchObject([{ terminal: { rows: 30, columns: 90 } }]);
    await ask('resize', { program, rows: 31, columns: 91 });
    await now(program, { 'end-of-input': true });
    await settled();
    expect(await now(program)).toMatchObject({ exited: true });
  });

  it('is told of the end of its input, where the agent was about to tell it', async () => {
    const { machine, keeper, start, now } = await kept();
    const program = await start('/bin/echo-input', { stdin: 'open' });
    const [left] = machine.processes.interactive.left();
    await now(program, { input: base64('all'), 'input-offset': 0 });
    left?.resume({ output: 0, errors: 0 }).kept?.note('{"output":0,"errors":0,"inputEnd":3,"timedOut":false,"seen":false}');

    await keeper.kill();
    await settled();

    expect(await now(program)).toMatchObject({ 'input-accepted': 3, 'input-ended': true, exited: true, exitcode: 3 });
  });

  it('passes over what nobody reads, also after that', async () => {
    const { keeper, start, now } = await kept();
    const program = await start('/bin/true', { stdin: 'open' });
    await now(program, { input: base64('nobody reads'), 'input-offset': 0 });

    await keeper.kill();

    expect(await now(program, { input: base64(' this'), 'input-offset': 12 })).toMatchObject({ 'input-accepted': 17, 'input-ended': true });
  });

  it('keeps what it wrote last where that was asked for', async () => {
    const { keeper, start, now } = await kept();
    const program = await start('/bin/echo-input', { stdin: 'open', keep: 'latest', 'keep-bytes': 4 });
    await now(program, { input: base64('0123456789') });
    await settled();

    await keeper.kill();

    expect(await now(program)).toMatchObject({ 'output-offset': 6, output: base64('6789') });
    await now(program, { input: base64('ab') });
    await settled();
    expect(await now(program, { 'output-offset': 6 })).toMatchObject({ 'output-offset': 8, 'output-lost': 2, output: base64('89ab') });
  });

  it('has the time that was left to it', async () => {
    const { keeper, start, now, pass } = await kept();
    const program = await start('/bin/stubborn', { 'time-limit-ms': 1000 });
    await pass(600);
    await keeper.kill();
    await pass(399);
    expect(text((await now(program)).output)).toBe('');
    await pass(1);
    expect(text((await now(program)).output)).toContain('TERM');

    await pass(END_GRACE_MS - 1000);
    await keeper.kill();
    await pass(999);
    expect(await now(program)).toMatchObject({ exited: false });
    await pass(1);

    expect(await now(program)).toMatchObject({ exited: true, signal: 9, 'timed-out': true });
  });

  it('goes with its connection again, and with one that was closed meanwhile', async () => {
    const { transport, keeper, host, start, now, pass, ask } = await kept();
    const other = transport.connect();
    const leaves = transport.connect();
    const stays = await start('/bin/echo-input', { stdin: 'open', lifetime: 'connection' }, other);
    const goes = await start('/bin/echo-input', { stdin: 'open', lifetime: 'connection' }, leaves);
    const ends = await start('/bin/echo-input', { stdin: 'open', lifetime: 'connection' }, leaves);
    await ask('signal', { program: ends, signal: 'KILL' });
    await settled();
    transport.abandon();
    leaves.close();
    await keeper.kill();
    await pass(0);

    expect(await now(goes)).toMatchObject({ exited: true, signal: 1 });
    expect(await now(stays)).toMatchObject({ exited: false });
    other.close();
    await pass(0);
    expect(await now(stays)).toMatchObject({ exited: true, signal: 1 });
    expect(host.isClosed).toBe(false);
  });

  it('belongs to the channel whose it was, and is hung up where that is no more', async () => {
    const { machine, keeper, agents, start, now, ask, pass } = await kept({}, { channels: [{ name: 'other', handles: 'own' }] });
    const further = new FakeTransport();
    await further.open((connection) => agents.at(-1)?.serve(connection, 'other'));
    const program = await start('/bin/echo-input', { stdin: 'open' }, further.connect());
    expect(await ask('list')).toEqual([]);
    further.abandon();
    await keeper.kill();
    await further.open((connection) => agents.at(-1)?.serve(connection, 'other'));
    expect(await ask<object[]>('list', {}, further.connect())).toMatchObject([{ program }]);

    const without = new Agent({ backend: machine.backend, handlers, freeze: undefined, log: new FakeLog(), stateStore: new FakeStateStore(), lists: { allow: [], block: [] }, version: '11.1.0' });
    await pass(0);

    expect(without.isQuiet).toBe(true);
    expect(machine.processes.list).toMatchObject([{ end: { signal: 1 } }]);
    await expect(now(program)).rejects.toThrow('there is no program');
  });

  it('is hung up where the next agent does not know how it is written down', async () => {
    const { machine, keeper, start, ask, pass } = await kept();
    const own = machine.processes.interactive;
    await own.start({ path: '/bin/echo-input', arguments: [], environmentChanges: [], stdin: 'open', errors: 'capture', outlives: '{"format":999}' });
    await start('/bin/echo-input', { stdin: 'open' });

    await keeper.kill();
    await pass(0);

    expect(await ask<object[]>('list')).toHaveLength(1);
    expect(machine.processes.list).toMatchObject([{ end: { signal: 1 } }, { end: undefined }]);
  });

  it('is forgotten by the next agent as soon as by the last', async () => {
    const { keeper, start, now, pass, ask } = await kept();
    const program = await start('/bin/true');
    expect(await now(program, { 'output-offset': 0 })).toMatchObject({ exited: true, 'output-ended': true });

    await keeper.kill();
    await now(program, { 'output-offset': 0 });
    await pass(SEEN_PROGRAM_MS);

    expect(await ask('list')).toEqual([]);
  });
});

describe('a program that is conversed with, and sleep', () => {
  it.each([
    ['waits for its readers', {}, true],
    ['goes with a connection', { lifetime: 'connection' }, false],
    ['has a time limit', { 'time-limit-ms': 10 * afterMs }, false],
    ['is to be attended', { 'unattended-limit-ms': 10 * afterMs }, false],
    ['never waits', { keep: 'latest' }, false],
  ])('one that %s', async (_what, args, sleeps) => {
    const { keeper, start, pass, now } = await kept();
    const program = await start('/bin/echo-input', { stdin: 'open', ...args });

    await pass(2 * afterMs);

    expect(keeper.isAsleep).toBe(sleeps);
    expect(await now(program, { input: base64('x') })).toMatchObject({ 'input-accepted': 1 });
  });

  it('one that has ended is no reason to stay awake, before it is told or after it is forgotten', async () => {
    const { keeper, start, pass, now } = await kept();
    const program = await start('/bin/true');
    await pass(afterMs);
    expect(keeper.isAsleep).toBe(true);

    await now(program, { 'output-offset': 0 });
    await pass(Math.max(afterMs, SEEN_PROGRAM_MS) - 1);
    expect(keeper.isAsleep).toBe(false);
    await pass(1 + afterMs);

    expect(keeper.isAsleep).toBe(true);
  });

  it('one that is being ended, or started, keeps the agent', async () => {
    const { keeper, machine, start, pass, transport, ask, host } = await kept();
    const other = transport.connect();
    await start('/bin/stubborn', { lifetime: 'connection' }, other);
    other.close();
    await pass(END_GRACE_MS);
    machine.faults.inject({ port: 'processes.interactive', method: 'start', hang: true });
    host.send(request('__org.concierge_exec-start', { path: '/bin/true' }));
    await settled();
    host.changeHost();

    await pass(3 * afterMs);

    expect(keeper.isAsleep).toBe(false);
    expect(await ask('list')).toHaveLength(1);
  });
});

describe('an update', () => {
  it('comes at once, whatever runs, also while hosts wait for news', async () => {
    const { keeper, host, start, now, pass } = await kept();
    const programs = [
      await start('/bin/echo-input', { stdin: 'open', lifetime: 'connection', 'time-limit-ms': 1_000_000 }),
      await start('/bin/echo-input', { terminal, keep: 'latest' }),
    ];
    host.send(request('__org.concierge_exec-exchange', { program: programs[0], 'wait-ms': 10_000 }));
    await settled();

    keeper.renew();
    expect(JSON.parse(await host.nextLine())).toMatchObject({ return: { exited: false } });
    host.send(request('__org.concierge_exec-exchange', { program: programs[0], 'wait-ms': 10_000 }));
    expect(JSON.parse(await host.nextLine())).toMatchObject({ return: { exited: false } });
    await pass(0);
    for (const program of programs) expect(await now(program, { input: base64('x') })).toMatchObject({ 'input-accepted': 1 });

    expect(keeper.starts).toBe(2);
  });
});

describe('an agent that ends', () => {
  it.each([[false, undefined], [true, { signal: 1 }]])('leaves programs to the next one, where there is one (the keeper ends: %s)', async (isEnding, end) => {
    const { machine, start, pass } = await kept();
    await start('/bin/echo-input', { stdin: 'open' });
    const agent = new Agent({
      backend: machine.backend, handlers, freeze: undefined, log: new FakeLog(), stateStore: new FakeStateStore(), lists: { allow: [], block: [] }, version: '11.1.0',
      sleep: { keeper: { isEnding, sleep: () => false } },
    });

    await agent.stop();
    await pass(0);

    expect(machine.processes.list).toMatchObject([{ end }]);
    expect(machine.processes.interactive.left()).toHaveLength(isEnding ? 0 : 1);
  });
});
