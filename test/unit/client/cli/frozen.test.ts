// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createFakeGuest, type FakeGuest, type FakeGuestOptions, type Scenario } from '../../../../kit/fake/index.ts';
import { ClientError, GuestClient } from '../../../../client/index.ts';
import { scriptedAgent } from '../scripted-agent.ts';
import { ctlOn, ctlWith } from './ctl.ts';

let directory: string;
const servers: Server[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'concierge-frozen-'));
});

afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await rm(directory, { recursive: true, force: true });
});

const guestWith = (timeline: Scenario['timeline'] = [], options: FakeGuestOptions = {}): Promise<FakeGuest> => createFakeGuest({ timeline }, { realTime: true, ...options });
const frozen = (...command: string[]): string[] => ['frozen', '--', ...command];
const sh = (script: string): string[] => frozen('/bin/sh', '-c', script);

/** Whether the command ran. */
const mark = (): string => `touch ${directory}/ran`;
const ran = (): boolean => existsSync(join(directory, 'ran'));

describe('frozen', () => {
  it('runs the command while the guest is frozen, thaws, and ends with its status', async () => {
    const guest = await guestWith([{ on: 'guest-fsfreeze-status', do: 'dirty', of: '/data', bytes: 1 }]);

    const told = await ctlOn(guest, sh('exit 7'));

    expect(told).toEqual({ status: 7, out: '', err: '' });
    expect(guest.machine.fileSystems.frozen).toEqual([]);
    expect(guest.log.texts('account')).toEqual(['guest-fsfreeze called', 'guest-fsthaw called']);
  });

  it('ends with 0 where all is well, and freezes only what it is told', async () => {
    const guest = await guestWith();

    expect((await ctlOn(guest, ['frozen', '--only', '/data,/boot', '--', 'true'])).status).toBe(0);
    expect(guest.log.texts('info').find((line) => line.includes('are frozen'))).toMatch(/^2 file systems/);
  });

  it.each([
    [['frozen'], 2, 'say what is to be done'],
    [['frozen', '--timeout', 'soon', '--', 'true'], 2, '--timeout takes a number of seconds'],
    [frozen('/no/such/program'), 127, 'there is no program /no/such/program'],
    [['frozen', '--only', '/proc', '--', 'true'], 125, 'nothing in the guest was frozen'],
    [sh('kill -KILL $$'), 137, ''],
  ])('%j ends with %i', async (words, status, message) => {
    const guest = await guestWith();

    expect(await ctlOn(guest, words)).toMatchObject({ status, err: expect.stringContaining(message) });
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });

  it('ends with 126 where the command is no program', async () => {
    await writeFile(join(directory, 'text'), 'no program');
    const guest = await guestWith();

    expect(await ctlOn(guest, frozen(join(directory, 'text')))).toMatchObject({ status: 126, err: expect.stringContaining('text cannot be run: EACCES') });
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });

  it('warns of an agent without a deadline', async () => {
    const guest = await guestWith([], { freezeTimeoutMs: 0 });

    expect(await ctlOn(guest, frozen('true'))).toMatchObject({ status: 0, err: expect.stringContaining('this agent has no deadline') });
  });

  it.each([
    ['nobody is there', (): GuestClient => new GuestClient({ ask: () => Promise.reject(new ClientError('closed', 'Domain not found')) }), 'Domain not found'],
    ['nobody answers', (): GuestClient => new GuestClient(scriptedAgent({ synchronizes: () => false }).host, { timeoutMs: 20 }), 'no answer within 0.02 s'],
  ])('runs nothing where %s, and does not say that the guest may be frozen', async (_, open, why) => {
    expect(await ctlWith(async () => open(), sh(mark()))).toEqual({ status: 125, out: '', err: expect.stringMatching(new RegExp(`^concierge-ctl: ${why}`)) });
    expect(ran()).toBe(false);
  });

  it('runs nothing where the freeze is refused', async () => {
    const guest = await guestWith([{ at: 0, do: 'freeze-fails', of: '/data' }]);

    expect(await ctlOn(guest, sh(mark()))).toMatchObject({ status: 125, err: expect.stringContaining('Input/output error') });
    expect([ran(), guest.machine.fileSystems.frozen]).toEqual([false, []]);
  });

  it('ends with 122 where the deadline came before the command was done, whatever that said', async () => {
    const guest = await guestWith([], { freezeTimeoutMs: 30 });

    const told = await ctlOn(guest, sh('while [ ! -e /no/such ] && [ ${n:-0} -lt 20000 ]; do n=$((${n:-0}+1)); done; exit 0'));

    expect(told).toMatchObject({ status: 122, err: expect.stringContaining('(the command ended with status 0)') });
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });

  it('ends with 123 where the thaw could not be delivered', async () => {
    const answers: Readonly<Record<string, string>> = { 'guest-fsfreeze-freeze': '{"return": 2', 'guest-fsfreeze-status': '{"return": "frozen"' };
    const { host } = scriptedAgent({ answer: (name, id) => `${answers[name] ?? '{"error": {"class": "CommandNotFound", "desc": "failed to thaw /data: Input/output error"}'}${id}}\n` });

    expect(await ctlWith(async () => new GuestClient(host), frozen('true'))).toMatchObject({
      status: 123, err: expect.stringContaining('may still be frozen, the thaw failed: failed to thaw /data: Input/output error (the command ended with status 0)'),
    });
  });

  it('ends the command and thaws when --timeout is over', async () => {
    const guest = await guestWith();

    expect(await ctlOn(guest, ['frozen', '--timeout', '0.2', '--', 'sleep', '60'])).toMatchObject({ status: 124, err: expect.stringContaining('--timeout 0.2 is over: ') });
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });

  it.each([['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]] as const)('%s ends the command, thaws and ends with %i', async (signal, status) => {
    const guest = await guestWith();
    const signals = new EventEmitter();
    const told = ctlOn(guest, sh(`${mark()}; exec sleep 60`), { signals });
    await vi.waitFor(() => expect(ran()).toBe(true), { timeout: 20_000 });

    signals.emit(signal);

    expect(await told).toMatchObject({ status });
    expect([guest.machine.fileSystems.frozen, signals.listenerCount(signal)]).toEqual([[], 0]);
  });

  it('a signal while the guest freezes runs nothing, and thaws', async () => {
    const guest = await guestWith([{ at: 0, do: 'freeze-hangs', of: '/data', for: 100 }]);
    const signals = new EventEmitter();
    const told = ctlOn(guest, sh(mark()), { signals });
    await vi.waitFor(() => expect(guest.log.texts('account')).toContain('guest-fsfreeze called'), { timeout: 20_000 });

    signals.emit('SIGINT');

    expect([(await told).status, ran(), guest.machine.fileSystems.frozen]).toEqual([130, false, []]);
  });

  it.each([
    ['at the freeze', 'guest-fsfreeze-freeze', 1, 125],
    ['behind the freeze', '__org.concierge_fsfreeze-report', 1, 125],
    ['at the check', 'guest-fsfreeze-status', 1, 122],
    ['at the check of the deadline', '__org.concierge_fsfreeze-report', 3, 122],
    ['at the thaw', 'guest-fsfreeze-thaw', 1, 0],
  ])('a connection that is lost %s never leaves the guest frozen, nor ends with 0 for a copy of which nothing is known', async (_, on, nth, status) => {
    const guest = await guestWith([{ on, nth, do: 'connection-drops' }]);

    expect((await ctlOn(guest, frozen('true'))).status).toBe(status);
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });

  it('goes on through the agent that comes after one that died, and does not call the copy good', async () => {
    const guest = await guestWith([{ on: 'guest-fsfreeze-status', do: 'agent-dies', restart: 50 }]);

    expect((await ctlOn(guest, frozen('true'))).status).toBe(122);
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });
});

describe('the program itself', () => {
  async function socketOf(guest: FakeGuest): Promise<string> {
    const path = join(directory, 'socket');
    const server = createServer((socket) => {
      const end = guest.connect();
      socket.on('error', () => undefined).pipe(end.on('error', () => undefined)).pipe(socket);
    });
    servers.push(server);
    await new Promise<void>((resolve) => void server.listen(path, resolve));
    return path;
  }

  /** `script` finds its parent, concierge-ctl, as $PPID. */
  async function runs(guest: FakeGuest, script: string): Promise<{ readonly status: number | null; readonly signal: NodeJS.Signals | null; readonly err: string }> {
    const program = join(import.meta.dirname, '../../../../client/cli/main.ts');
    const child = spawn(process.execPath, [program, '--socket', await socketOf(guest), ...sh(script)], { stdio: ['ignore', 'ignore', 'pipe'] });
    let err = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    return new Promise((resolve) => void child.once('exit', (status, signal) => resolve({ status, signal, err })));
  }

  it.each([['INT', 130], ['TERM', 143], ['HUP', 129]])('thaws when it is told to end by SIG%s', async (signal, status) => {
    const guest = await createFakeGuest();

    const ended = await runs(guest, `echo $$ >${directory}/pid; kill -${signal} $PPID; exec sleep 60`);

    expect(ended).toMatchObject({ status, signal: null });
    expect(guest.machine.fileSystems.frozen).toEqual([]);
    // The command is gone, too.
    const pid = Number(await readFile(join(directory, 'pid'), 'utf8'));
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });

  it('leaves the thaw to the deadline of the guest when it is killed', async () => {
    const guest = await createFakeGuest();

    const ended = await runs(guest, 'kill -KILL $PPID');
    const held = guest.machine.fileSystems.frozen;
    await guest.advance(600_000);

    expect(ended).toMatchObject({ status: null, signal: 'SIGKILL' });
    expect([held.length, guest.machine.fileSystems.frozen]).toEqual([4, []]);
  });

  it('passes its own status on', async () => {
    expect(await runs(await createFakeGuest(), 'exit 3')).toMatchObject({ status: 3 });
  });
});
