// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { settled } from '../../../../adapters/fake/clock.ts';
import { posixError } from '../../../../core/errors/posix-errno.ts';
import type { InteractiveProgram } from '../../../../core/ports/index.ts';
import { END_GRACE_MS } from '../../../../core/state/program.ts';
import { MAX_ENDED, MAX_PROGRAMS, ProgramTable, SEEN_PROGRAM_MS, UNSEEN_PROGRAM_MS } from '../../../../core/state/programs.ts';
import { guest } from '../support/exchange.ts';
import { base64, conversing, text } from './support.ts';

const terminal = { rows: 24, columns: 80 };

describe('exec-start', () => {
  it('answers a number of its own and the process number, and logs no argument', async () => {
    const { say, log, machine } = conversing();

    const answer = await say('start', { path: '/bin/cat', arg: ['secret'], env: ['PASSWORD=secret'], user: 'bob' });

    expect(answer).toMatch(/^\{"program": \d+, "pid": 1200\}$/);
    expect(log.texts()).toEqual(['__org.concierge_exec-start called: "/bin/cat" as bob']);
    expect(machine.processes.list).toHaveLength(1);
  });

  it('names a program by a number that grows, with time too', async () => {
    const { start, machine } = conversing();

    const first = await start('/bin/true');
    const second = await start('/bin/true');
    await machine.clock.advance(1000);
    const third = await start('/bin/true');

    expect(second).toBe(first + 1);
    expect(third).toBe(first + 256_000);
    expect(Number.isSafeInteger(third)).toBe(true);
  });

  it('gives a program the environment, the directory and the user that were asked for', async () => {
    const { start, now } = conversing({ files: { '/bin/show': { program: ({ environment, workingDirectory, argv, print }) => print([workingDirectory, ...argv, ...environment].join('\n')) } } });

    const program = await start('/bin/show', { arg: ['a'], env: ['A=1', 'PATH'], 'working-directory': '/tmp', user: 'bob', groups: ['alice'] });
    const lines = text((await now(program)).output).split('\n');

    expect(lines.slice(0, 3)).toEqual(['/tmp', '/bin/show', 'a']);
    expect(lines).toEqual(expect.arrayContaining(['A=1', 'USER=bob', 'LOGNAME=bob', 'HOME=/home/bob', 'SHELL=/bin/sh']));
    expect(lines.some((line) => line.startsWith('PATH='))).toBe(false);
  });

  it('names the kind of a terminal', async () => {
    const { start, now } = conversing();

    const usual = await now(await start('/bin/printenv', { arg: ['TERM'], terminal }));
    const other = await now(await start('/bin/printenv', { arg: ['TERM'], terminal: { ...terminal, term: 'vt100' } }));

    expect([usual, other].map(({ output }) => text(output))).toEqual(['xterm-256color\r\n', 'vt100\r\n']);
  });

  it.each([
    [{ path: '/bin/none' }, 'Failed to execute child process “/bin/none” (No such file or directory)'],
    [{ path: '/bin/cat', 'working-directory': '/none' }, "failed to enter the directory '/none': No such file or directory"],
    [{ path: '/bin/cat', user: 'nobody-here' }, "the user 'nobody-here' does not exist"],
    [{ path: '/bin/cat', groups: ['none'] }, "the group 'none' does not exist"],
    [{ path: '/bin/cat', terminal: { rows: 24, columns: 0 } }, "value '0' is invalid for argument terminal.columns: from 1 to 10000"],
    [{ path: '/bin/cat', terminal: { rows: 24, columns: 100_000 } }, "value '100000' is invalid for argument terminal.columns: from 1 to 10000"],
    [{ path: '/bin/cat', terminal: { rows: -1, columns: 80 } }, "value '-1' is invalid for argument terminal.rows: from 1 to 10000"],
    [{ path: '/bin/cat', terminal: { ...terminal, term: '\0' } }, "Parameter 'terminal.term' contains a zero byte"],
    [{ path: '/bin/c\0t' }, "Parameter 'path' contains a zero byte"],
    [{ path: '/bin/cat', arg: ['\0'] }, "Parameter 'arg[0]' contains a zero byte"],
    [{ path: '/bin/cat', env: ['A=1', 'B=\0'] }, "Parameter 'env[1]' contains a zero byte"],
    [{ path: '/bin/cat', env: ['=1'] }, "Parameter 'env[0]' has no name"],
    [{ path: '/bin/cat', env: [''] }, "Parameter 'env[0]' has no name"],
    [{ path: '/bin/cat', user: 'a\0' }, "Parameter 'user' contains a zero byte"],
    [{ path: '/bin/cat', groups: ['a\0'] }, "Parameter 'groups[0]' contains a zero byte"],
    [{ path: '/bin/cat', 'working-directory': '\0' }, "Parameter 'working-directory' contains a zero byte"],
    [{ path: '/bin/cat', 'keep-bytes': 0 }, "value '0' is invalid for argument keep-bytes: from 1 to 1048576"],
    [{ path: '/bin/cat', 'unattended-limit-ms': 999 }, "value '999' is invalid for argument unattended-limit-ms: from 1000 to 2147483647"],
    [{ path: '/bin/cat', 'time-limit-ms': 0 }, "value '0' is invalid for argument time-limit-ms: from 1 to 2147483647"],
  ])('refuses %j', async (args, desc) => {
    const { say, machine } = conversing();

    expect(await say('start', args)).toBe(`error: ${desc}`);
    expect(machine.processes.list).toEqual([]);
  });

  it.each([
    [{ user: 'alice' }, "failed to become the user 'alice': Operation not permitted"],
    [{ groups: ['bob'] }, 'failed to set the groups: Operation not permitted'],
  ])('refuses %j to an agent that is not root', async (args, desc) => {
    const { say } = conversing({ agent: { uid: 1001, gid: 1001 } });

    expect(await say('start', { path: '/bin/cat', ...args })).toBe(`error: ${desc}`);
  });

  it('has no terminal where the system has none', async () => {
    const { say } = conversing({ without: ['processes.interactive.terminals'] });

    expect(await say('start', { path: '/bin/cat', terminal })).toBe('error: this backend has no terminals');
  });

  it('is bounded, and what has ended makes room', async () => {
    const { start, say, machine } = conversing();
    for (let count = 0; count < MAX_PROGRAMS; count += 1) await say('start', { path: '/bin/cat', stdin: 'open' });

    expect(await say('start', { path: '/bin/cat' })).toBe('error: 512 programs are running already');
    machine.processes.signal(1200, 9);
    await settled();
    expect(await start('/bin/true')).toBeGreaterThan(0);
  });

  it('is bounded in what all programs keep, and a start that fails takes nothing', async () => {
    const { say } = conversing();
    const latest = { stdin: 'open', keep: 'latest', 'keep-bytes': 1024 * 1024 };
    await say('start', { path: '/bin/none', ...latest });
    for (let count = 0; count < 32; count += 1) await say('start', { path: '/bin/cat', ...latest });

    expect(await say('start', { path: '/bin/cat', ...latest })).toBe('error: the programs keep too much output already');
  });
});

describe('a program with a time limit', () => {
  it('is asked to end, and ended when it does not', async () => {
    const { start, now, machine } = conversing();
    const polite = await start('/bin/cat', { stdin: 'open', 'time-limit-ms': 100 });
    const rude = await start('/bin/stubborn', { stdin: 'open', 'time-limit-ms': 100 });
    const quick = await start('/bin/true', { 'time-limit-ms': 100 });

    await machine.clock.advance(100);
    const first = await now(polite);
    const meanwhile = await now(rude);
    await machine.clock.advance(END_GRACE_MS);

    expect(first).toMatchObject({ exited: true, signal: 15, 'timed-out': true });
    expect(meanwhile.exited).toBe(false);
    expect(await now(rude)).toMatchObject({ exited: true, signal: 9, 'timed-out': true });
    expect(await now(quick)).not.toHaveProperty('timed-out');
  });
});

describe('a program that has to be asked for', () => {
  it('is hung up when no host has asked for so long, whatever else was asked', async () => {
    const { start, now, say, machine } = conversing();
    const forgotten = await start('/bin/cat', { stdin: 'open', 'unattended-limit-ms': 10_000 });
    const asked = await start('/bin/cat', { stdin: 'open', 'unattended-limit-ms': 10_000 });
    const free = await start('/bin/cat', { stdin: 'open' });

    await machine.clock.advance(9_999);
    expect(await now(asked)).toMatchObject({ exited: false });
    await say('list');
    await machine.clock.advance(1);

    expect(await now(forgotten)).toMatchObject({ exited: true, signal: 1 });
    expect([await now(asked), await now(free)]).toMatchObject([{ exited: false }, { exited: false }]);
    await machine.clock.advance(10_000);
    expect([await now(asked), await now(free)]).toMatchObject([{ exited: true, signal: 1 }, { exited: false }]);
  });

  it('goes on while an exchange waits, and for so long after its answer', async () => {
    const { start, now, say, machine } = conversing();
    const program = await start('/bin/cat', { stdin: 'open', 'unattended-limit-ms': 1000 });

    const waiting = say('exchange', { program, 'output-offset': 0, 'wait-ms': 10_000 });
    await machine.clock.advance(9_999);
    const during = JSON.parse(await say('list')) as unknown;
    await machine.clock.advance(1);
    await waiting;
    await machine.clock.advance(999);
    const after = JSON.parse(await say('list')) as unknown;
    await machine.clock.advance(1);

    expect([during, after]).toMatchObject([[{ exited: false }], [{ exited: false }]]);
    expect(await now(program)).toMatchObject({ exited: true, signal: 1 });
  });

  it('is ended by force where it ignores that', async () => {
    const { start, say, machine } = conversing();
    const program = await start('/bin/stubborn', { stdin: 'open', 'unattended-limit-ms': 1000 });

    await machine.clock.advance(1000);
    const meanwhile = JSON.parse(await say('list')) as unknown;
    await machine.clock.advance(END_GRACE_MS);

    expect(meanwhile).toMatchObject([{ program, exited: false }]);
    expect(JSON.parse(await say('list'))).toMatchObject([{ program, exited: true, signal: 9 }]);
  });
});

describe('a program that is tied to its connection', () => {
  it('is hung up when its host leaves, and a detached one is not', async () => {
    const { start, now, host } = conversing();
    const tied = await start('/bin/cat', { stdin: 'open', lifetime: 'connection' });
    const free = await start('/bin/cat', { stdin: 'open' });

    host.leave();
    await settled();

    expect(await now(tied)).toMatchObject({ exited: true, signal: 1 });
    expect(await now(free)).toMatchObject({ exited: false });
  });

  it('is ended by force where it ignores that', async () => {
    const { start, now, host, machine } = conversing();
    const tied = await start('/bin/stubborn', { stdin: 'open', lifetime: 'connection' });

    host.leave();
    host.leave();
    await machine.clock.advance(END_GRACE_MS);

    expect(await now(tied)).toMatchObject({ exited: true, signal: 9 });
  });

  it('is hung up, too, when the host had left before it ran', async () => {
    const { start, now, host } = conversing();
    host.leave();

    expect(await now(await start('/bin/cat', { stdin: 'open', lifetime: 'connection' }))).toMatchObject({ exited: true, signal: 1 });
  });

  it('is forgotten by the connection when it ends', async () => {
    const { start, now, host, machine } = conversing();
    const tied = await start('/bin/cat', { stdin: 'open', lifetime: 'connection' });
    await now(tied, { 'end-of-input': true });
    await settled();

    host.leave();

    expect(await now(tied)).toMatchObject({ exited: true, exitcode: 0 });
    expect(machine.clock.waitingTimers).toBe(1);
  });
});

describe('exec-signal', () => {
  it.each([['TERM', 15], [2, 2], ['KILL', 9]])('sends %j', async (signal, number) => {
    const { start, say, now, log } = conversing();
    const program = await start('/bin/cat', { stdin: 'open' });

    expect(await say('signal', { program, signal, group: true })).toBe('{}');
    expect(await now(program)).toMatchObject({ exited: true, signal: number });
    expect(log.texts().at(-1)).toBe(`__org.concierge_exec-signal called, program: ${program}, signal: ${signal}`);
  });

  it('says that a program has ended, also where the system knows it first', async () => {
    const { start, say, machine } = conversing();
    const program = await start('/bin/cat', { stdin: 'open' });

    machine.processes.signal(1200, 9);
    const early = await say('signal', { program, signal: 'TERM' });
    await settled();
    const late = await say('signal', { program, signal: 'TERM' });

    expect([early, late]).toEqual([`error: program ${program} has ended`, `error: program ${program} has ended`]);
  });

  it.each([
    [0, "value '0' is invalid for argument signal: from 1 to 64"],
    [65, "value '65' is invalid for argument signal: from 1 to 64"],
    ['FOO', "Parameter 'signal' does not accept value 'FOO'"],
    [60, 'failed to send the signal: Invalid argument'],
  ])('refuses %j', async (signal, desc) => {
    const { start, say } = conversing();

    expect(await say('signal', { program: await start('/bin/cat', { stdin: 'open' }), signal })).toBe(`error: ${desc}`);
  });
});

describe('exec-resize', () => {
  it('gives a terminal another size', async () => {
    const { start, say, now } = conversing();
    const program = await start('/bin/sh', { terminal });

    expect(await say('resize', { program, rows: 50, columns: 132 })).toBe('{}');
    await now(program, { input: base64('size\r') });
    await settled();

    expect(text((await now(program)).output)).toBe('$ size\r\n50 132\r\n$ ');
    expect(JSON.parse(await say('list'))).toMatchObject([{ terminal: { rows: 50, columns: 132 } }]);
  });

  it('refuses what is no size, a program without a terminal, and one that has ended', async () => {
    const { start, say, machine } = conversing();
    const piped = await start('/bin/cat', { stdin: 'open' });
    const program = await start('/bin/sh', { terminal });

    expect(await say('resize', { program, rows: 0, columns: 80 })).toBe("error: value '0' is invalid for argument rows: from 1 to 10000");
    expect(await say('resize', { program: piped, rows: 1, columns: 1 })).toBe(`error: program ${piped} has no terminal`);
    machine.processes.signal(1201, 9);
    await settled();
    expect(await say('resize', { program, rows: 1, columns: 1 })).toBe(`error: program ${program} has ended`);
  });

  it('says why the system refuses', async () => {
    const machine = guest().machine;
    const context = guest().context;
    const { interactive } = machine.processes;
    const refusing = {
      ...interactive,
      terminals: { start: async (...rest: Parameters<typeof interactive.terminals.start>) => Object.assign(await interactive.terminals.start(...rest), { resize: () => { throw posixError('EIO'); } }) },
    };
    const backend = { ...machine.backend, processes: { ...machine.backend.processes!, canMerge: true, spawn: () => Promise.reject(new Error('unused')), interactive: refusing } };
    const { exchange } = await import('../support/exchange.ts');
    const { program } = JSON.parse(await exchange({ ...context, backend }, '__org.concierge_exec-start', JSON.stringify({ path: '/bin/sh', terminal }))) as { program: number };

    expect(await exchange({ ...context, backend }, '__org.concierge_exec-resize', JSON.stringify({ program, rows: 1, columns: 1 })))
      .toBe('error: failed to resize the terminal: Input/output error');
  });
});

describe('exec-list and exec-forget', () => {
  it('list what runs and what is left, without arguments', async () => {
    const { start, say, machine } = conversing();
    const first = await start('/bin/sh', { terminal, user: 'bob', lifetime: 'connection' });
    const second = await start('/bin/echo', { arg: ['secret'], keep: 'latest' });
    const started = Number(machine.clock.now());

    expect(JSON.parse(await say('list'))).toEqual([
      { program: first, pid: 1200, path: '/bin/sh', user: 'bob', terminal, keep: 'wait', lifetime: 'connection', started, 'input-accepted': 0, 'output-offset': 0, 'errors-offset': 0, exited: false },
      { program: second, pid: 1201, path: '/bin/echo', keep: 'latest', lifetime: 'detached', started, 'input-accepted': 0, 'output-offset': 0, 'errors-offset': 0, exited: true, exitcode: 0 },
    ]);
  });

  it('forget what is left of a program, and no running one', async () => {
    const { start, say, refusal } = conversing();
    const running = await start('/bin/cat', { stdin: 'open' });
    const ended = await start('/bin/true', { keep: 'latest' });

    expect(await say('forget', { program: running })).toBe(`error: program ${running} is still running`);
    expect(await say('forget', { program: ended })).toBe('{}');
    expect(await refusal(ended, {})).toBe(`error: there is no program ${ended}`);
  });
});

describe('what is left of a program', () => {
  it('is forgotten a minute after a host knows all of it', async () => {
    const { start, now, refusal, machine } = conversing();
    const program = await start('/bin/echo', { arg: ['x'] });
    await now(program, { size: 1 });
    await machine.clock.advance(SEEN_PROGRAM_MS);
    const afterPart = await now(program, { 'output-offset': 1 });
    await now(program);
    await machine.clock.advance(SEEN_PROGRAM_MS - 1);
    const before = await refusal(program, {});
    await machine.clock.advance(1);

    expect(afterPart).toMatchObject({ output: base64('\n'), 'output-ended': true });
    expect(before).toContain('"exited": true');
    expect(await refusal(program, {})).toBe(`error: there is no program ${program}`);
  });

  it('is forgotten after hours where nobody asks', async () => {
    const { start, say, machine } = conversing();
    await start('/bin/true');

    await machine.clock.advance(UNSEEN_PROGRAM_MS - 1);
    const before = JSON.parse(await say('list')) as unknown[];
    await machine.clock.advance(1);

    expect(before).toHaveLength(1);
    expect(await say('list')).toBe('[]');
    expect(machine.clock.waitingTimers).toBe(0);
  });

  it('makes room for others, that which a host knows all of first', async () => {
    const { start, say, now } = conversing();
    const first = await start('/bin/true');
    const second = await start('/bin/true');
    await now(second);
    for (let count = 0; count < MAX_ENDED - 1; count += 1) await say('start', { path: '/bin/true' });
    await settled();
    const left = (JSON.parse(await say('list')) as { program: number }[]).map(({ program }) => program);

    await start('/bin/true');
    const after = (JSON.parse(await say('list')) as { program: number }[]).map(({ program }) => program);

    expect([left.includes(first), left.includes(second)]).toEqual([true, false]);
    expect(after.includes(first)).toBe(false);
  });

  it('is not known where the backend breaks its word, and nobody waits for it', async () => {
    const { machine } = guest();
    const table = new ProgramTable(machine.backend.clock, () => undefined);
    const broken: InteractiveProgram = {
      pid: 1, read: () => 0, write: () => undefined, endInput: () => undefined, onReady: () => undefined,
      finished: Promise.reject(new Error('broken')), signal: () => undefined, kill: () => undefined, release: () => undefined,
    };
    const facts = { path: 'x', user: undefined, size: undefined, latest: undefined, lifetime: 'detached', connection: undefined, limitMs: undefined, unattendedMs: undefined, hasInput: true, merged: false } as const;

    const program = await table.start(facts, async () => ({ running: broken, terminal: undefined }));
    await settled();

    expect(program.end).toEqual({ exitCode: 255 });
  });
});

describe('pieces beyond 64 KiB', () => {
  it('are as large as asked for while there is memory for all, and 64 KiB otherwise', async () => {
    const { start, now } = conversing();
    const programs: number[] = [];
    for (let count = 0; count < 80; count += 1) programs.push(await start('/bin/yes'));
    const sizes: number[] = [];
    for (const program of programs) {
      let length = 0;
      for (let round = 0; round < 40; round += 1) {
        const answer = await now(program, { size: 1024 * 1024 });
        const got = Buffer.from(answer.output ?? '', 'base64').length;
        if (got === length) break;
        length = got;
        await settled();
      }
      sizes.push(length);
    }

    expect(Math.max(...sizes)).toBe(1024 * 1024);
    expect(Math.min(...sizes)).toBe(64 * 1024);
  }, 60_000);
});

describe('an agent', () => {
  it('does not sleep while a program is there, and hangs up those that run before it ends', async () => {
    const { context, start, now } = conversing();
    const program = await start('/bin/cat', { stdin: 'open' });
    const size = context.programs.size;

    context.programs.stop(true);
    await settled();

    expect(size).toBe(1);
    expect(await now(program)).toMatchObject({ exited: true, signal: 1 });
  });
});
