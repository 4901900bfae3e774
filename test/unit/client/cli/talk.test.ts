// SPDX-License-Identifier: Apache-2.0
import { spawn as spawnHere } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';

import { runProgram } from '../../../../client/cli/program.ts';
import { WayOut } from '../../../../client/cli/raw-terminal.ts';
import { attach, GuestClient, spawn } from '../../../../client/index.ts';
import { createFakeGuest, type FakeGuest, type ProgramFunction } from '../../../../kit/fake/index.ts';
import { scriptedAgent } from '../scripted-agent.ts';
import { ctl, ctlOn, ctlWith } from './ctl.ts';

const withProgram = (program: ProgramFunction, path = '/usr/bin/program') => ({ machine: { files: { [path]: { program } } } });

/** concierge-ctl at a terminal, with somebody who types. */
class Seat {
  readonly stdin = Object.assign(new PassThrough(), { setRawMode: (isRaw: boolean) => void this.raw.push(isRaw) });
  readonly stdout = Object.assign(new PassThrough(), { rows: 24, columns: 80 });
  readonly stderr = new PassThrough();
  readonly signals = new EventEmitter();
  readonly raw: boolean[] = [];
  screen = '';
  told = '';
  readonly #connect: () => Promise<GuestClient>;

  constructor(guest: FakeGuest, connect = async () => new GuestClient(guest.connect())) {
    this.#connect = connect;
    this.stdout.on('data', (chunk: Buffer) => (this.screen += chunk.toString()));
    this.stderr.on('data', (chunk: Buffer) => (this.told += chunk.toString()));
  }

  run(...words: string[]): Promise<number> {
    const { stdin, stdout, stderr, signals } = this;
    return runProgram({ words, environment: {}, version: '1', stdin, stdout, stderr, signals, isTyped: true, isScreen: true, isWatched: true, connect: this.#connect });
  }

  async sees(words: string): Promise<void> {
    while (!this.screen.includes(words)) await setImmediate();
  }
}

/** Time for others. */
async function turns(): Promise<undefined> {
  for (let turn = 0; turn < 20; turn += 1) await setImmediate();
}

describe('exec -it', () => {
  it('is a terminal: keys, Ctrl-C, a new size, the exit status, and the terminal as it was', async () => {
    const seat = new Seat(await createFakeGuest({}, { realTime: true }));
    const status = seat.run('exec', '-it', '--', 'sh');
    await seat.sees('$ ');

    seat.stdin.write('size\n');
    await seat.sees('24 80');
    Object.assign(seat.stdout, { rows: 50, columns: 132 });
    seat.stdout.emit('resize');
    for (let at = 0; !seat.screen.includes('50 132'); at += 1) {
      seat.stdin.write('size\n');
      await turns();
    }
    seat.stdin.write('sleep 1000\n');
    // The key may come before the shell sleeps.
    while ((await Promise.race([status, turns()])) === undefined) seat.stdin.write('\u0003exit 7\n');

    expect(seat.screen).toContain('^C');
    expect(await status).toBe(7);
    expect(seat.raw).toEqual([true, false]);
  });

  it('shows what a program writes as it is, which the user asked for by -t', async () => {
    const guest = await createFakeGuest(withProgram(({ print }) => print('\u001b[2J')), { realTime: true });
    const [asked, plain] = [new Seat(guest), new Seat(guest)];

    await asked.run('exec', '-t', '--', 'program');
    await plain.run('exec', '-i', '--', 'program');

    expect([asked.screen, plain.screen]).toEqual(['\u001b[2J', '\\x1b[2J']);
    expect([asked.raw, plain.raw]).toEqual([[], []]);
  });

  it('leaves the terminal as it was when the program cannot be started', async () => {
    const seat = new Seat(await createFakeGuest({}, { realTime: true }));

    expect(await seat.run('exec', '-it', '--', '/no/such')).toBe(255);
    expect(seat.raw).toEqual([true, false]);
    expect(seat.told).toContain('No such file or directory');
  });

  it('passes a signal on, and ends with that of the program', async () => {
    const seat = new Seat(await createFakeGuest({}, { realTime: true }));
    const status = seat.run('exec', '-it', '--', 'cat');
    seat.stdin.write('here\n');
    await seat.sees('here');

    seat.signals.emit('SIGTERM');

    expect(await status).toBe(143);
    expect(seat.raw).toEqual([true, false]);
    expect(seat.signals.eventNames()).toEqual([]);
  });

  it('ends by Enter ~ . and hangs the program up', async () => {
    const guest = await createFakeGuest({}, { realTime: true });
    const seat = new Seat(guest);
    const status = seat.run('exec', '-it', '--', 'cat');
    seat.stdin.write('here\n');
    await seat.sees('here');

    seat.stdin.write('\r~.');

    expect(await status).toBe(255);
    expect(seat.raw).toEqual([true, false]);
    using client = new GuestClient(guest.connect());
    expect((await client.execute('__org.concierge_exec-list')).filter(({ exited }) => !exited)).toEqual([]);
  });

  it('says that the connection was lost, and goes on', async () => {
    const guest = await createFakeGuest({}, { realTime: true });
    const streams: ReturnType<FakeGuest['connect']>[] = [];
    const seat = new Seat(guest, async () => {
      const stream = guest.connect();
      streams.push(stream);
      return new GuestClient(stream);
    });
    const status = seat.run('exec', '-it', '--', 'cat');
    seat.stdin.write('before\n');
    await seat.sees('before\r\nbefore');

    streams[0]!.destroy();
    seat.stdin.write('after\n');
    await seat.sees('after\r\nafter');
    seat.stdin.end('');

    expect(await status).toBe(0);
    expect(seat.told).toMatch(/^\r\nconcierge-ctl: .*trying to go on\r\n\r\nconcierge-ctl: the conversation goes on\r\n$/);
  });
});

it.skipIf(!existsSync('/usr/bin/script'))('a line feed of the program reaches a real terminal as it is (needs script of util-linux)', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'concierge-'));
  const path = join(directory, 'agent.sock');
  const guest = await createFakeGuest(withProgram(({ print }) => print('one\ntwo\n')), { realTime: true });
  const server = createServer((socket) => void socket.pipe(guest.connect()).pipe(socket));
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  const main = join(import.meta.dirname, '../../../../client/cli/main.ts');

  const line = `'${process.execPath}' '${main}' --socket '${path}' exec -it -- program`;
  const child = spawnHere('/usr/bin/script', ['-qec', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, SHELL: '/bin/sh' } });
  const shown = await text(child.stdout);
  server.close();
  rmSync(directory, { recursive: true });

  expect(shown).toContain('one\r\ntwo\r\n');
});

describe('exec with flags of a conversation', () => {
  it('passes standard input on, and standard error by itself', async () => {
    expect(await ctl(['exec', '-i', '--', 'sh'], {}, { input: 'echo out\nwrong\nexit 4\n' })).toEqual({ status: 4, out: 'out\n', err: 'sh: wrong: not found\n' });
  });

  it('gives user, directory and environment', async () => {
    const scenario = withProgram(({ environment, workingDirectory, print }) => print(`${workingDirectory} ${environment.filter((one) => /^(A|B|USER)=/.test(one)).join(' ')}`));

    expect((await ctl(['exec', '-u', 'root', '-w/tmp', '-e', 'A=1=1', '-eB=two words', '-e', 'C', 'program', '-u', 'x'], scenario)).out).toBe('/tmp USER=root A=1=1 B=two words');
  });

  it('tells the signal that ended it, and that its time was over', async () => {
    expect(await ctl(['exec', '-i', '--', 'program'], withProgram(() => ({ signal: 9 })))).toMatchObject({ status: 137 });
    expect(await ctl(['exec', '-i', '--within', '0.01', '--', 'sleep', '1000'])).toMatchObject({ status: 124, err: 'concierge-ctl: the program was ended by its time limit\n' });
  });

  it.each([
    [['exec', '-t', '--', 'sh'], '-t needs a terminal'],
    [['login'], 'login needs a terminal'],
    [['exec', '-x', '--', 'sh'], 'there is no flag -x'],
    [['exec', '-i', '--stdin', '--', 'sh'], 'one of them'],
    [['exec', '-i', '--json', '--', 'sh'], '--json is for what has ended'],
    [['exec', '-iu'], '-u needs a value'],
    [['logs', 'x'], 'say which program'],
    [['kill'], 'say which program'],
    [['kill', '-s', 'FOO', '5'], "there is no signal 'FOO': there are HUP, INT, QUIT,"],
    [['kill', '-s', '', '5'], "there is no signal '': there are HUP, INT, QUIT,"],
  ])('%j makes no sense', async (words, problem) => {
    expect(await ctl(words)).toMatchObject({ status: 2, err: expect.stringContaining(problem) });
  });

  it('says what an agent lacks', async () => {
    const agent = scriptedAgent({ answer: (name, id) => `{"error": {"class": "CommandNotFound", "desc": "The command ${name} has not been found"}${id}}\n` });

    expect(await ctlWith(async () => new GuestClient(agent.host), ['exec', '-i', '--', 'sh'])).toMatchObject({ status: 255, err: expect.stringContaining('cannot talk with programs while they run') });
  });
});

describe('login', () => {
  it('is a login shell by su', async () => {
    const seat = new Seat(await createFakeGuest(withProgram(({ argv, print }) => print(argv.join(' ')), '/usr/bin/su'), { realTime: true }));

    expect(await seat.run('login', 'alice')).toBe(0);
    expect(seat.screen).toBe('su - alice');
    expect(seat.raw).toEqual([true, false]);
  });

  it('takes no flag for a user', async () => {
    const seat = new Seat(await createFakeGuest({}, { realTime: true }));

    expect(await seat.run('login', '-c')).toBe(2);
  });
});

describe('ps, kill and logs', () => {
  it('list a program, show what it wrote, follow it and end it', async () => {
    const guest = await createFakeGuest({}, { realTime: true });
    using client = new GuestClient(guest.connect());
    const child = spawn(client, 'cat', [], { detached: true, user: 'root' });
    child.stdin!.write('kept');
    const program = await new Promise<bigint>((resolve) => void child.once('spawn', () => resolve(child.program!)));
    await client.execute('guest-ping');
    child.detach();
    using again = attach(client, program, { stdin: true });
    const seen = new Promise<void>((resolve) => void again.stdout!.once('data', () => resolve()));
    await seen;
    again.detach();
    const word = program.toString();

    expect((await ctlOn(guest, ['ps'])).out).toMatch(new RegExp(`^PROGRAM .*\n${word} +\\d+ +root +\\S+ .*runs +cat\n$`));
    expect(await ctlOn(guest, ['logs', word])).toMatchObject({ status: 0, out: 'kept' });
    const following = ctlOn(guest, ['logs', '-f', word]);
    expect(await ctlOn(guest, ['kill', '-s', 'SIGKILL', word])).toMatchObject({ status: 0 });
    expect(await following).toMatchObject({ status: 137, out: 'kept' });
    expect(await ctlOn(guest, ['kill', word])).toMatchObject({ status: 1 });
  });

  it('show that a program without a user is the agent’s own', async () => {
    const guest = await createFakeGuest({}, { realTime: true });
    using client = new GuestClient(guest.connect());
    const { program } = await client.execute('__org.concierge_exec-start', { path: 'cat' });

    expect((await ctlOn(guest, ['ps'])).out).toMatch(new RegExp(`^PROGRAM .*\n${program} +\\d+ +\\(agent\\) +\\S+ .*runs +cat\n$`));
  });
});

describe('the way out', () => {
  const typed = (...words: string[]): string => {
    const way = new WayOut();
    return words.map((word) => {
      const { keys, isOut } = way.take(Buffer.from(word));
      return Buffer.from(keys).toString() + (isOut ? '!' : '');
    }).join('');
  };

  it.each([
    [['~.'], '!'],
    [['a~.'], 'a~.'],
    [['a\r', '~', '.'], 'a\r!'],
    [['~~.'], '~.'],
    [['~a~.'], '~a~.'],
    [['\n~\r~.'], '\n~\r!'],
  ])('of %j passes on %j', (words, passed) => {
    expect(typed(...words)).toBe(passed);
  });
});
