// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { connectUnix, GuestClient, withAllFrozen, type GuestToFreeze } from '../../../../client/index.ts';
import { scriptedAgent } from '../scripted-agent.ts';
import { FakeGuests } from './fake-guests.ts';

let fake: FakeGuests;

afterEach(async () => {
  await fake?.close();
});

const three = (more = ''): Promise<FakeGuests> => FakeGuests.of({ a: {}, b: {}, c: {} }, more);
const frozenIn = (): readonly number[] => [...fake.guests.values()].map((guest) => guest.machine.fileSystems.frozen.length);
const thawed = (): Promise<void> => expect.poll(frozenIn).toEqual([0, 0, 0]);
const mark = (): string => join(fake.directory, 'ran');

describe('frozen with several guests', () => {
  it('runs the command once, while all are frozen, and tells how long each stood still', async () => {
    fake = await three();

    const told = await fake.ctl(['--all', 'frozen', '--', '/bin/sh', '-c', `echo x >>${mark()}; exit 7`]);

    expect(told.status).toBe(7);
    expect(told.err).toMatch(/^GUEST +FILE SYSTEMS +STOOD STILL\na +4 +\d+ ms\nb +4 +\d+ ms\nc +4 +\d+ ms\n$/);
    for (const guest of fake.guests.values()) expect(guest.log.texts('account')).toEqual(['guest-fsfreeze called', 'guest-fsthaw called']);
    await thawed();
  });

  it('tells programs, too', async () => {
    fake = await three();

    const { out } = await fake.ctl(['--guest', 'a,c', '--json', 'frozen', '--', 'true']);

    expect(out.trimEnd().split('\n').map((line) => JSON.parse(line) as unknown)).toEqual(['a', 'c'].map((guest) => ({ guest, filesystems: 4, 'held-ms': expect.any(Number) as unknown })));
  });

  it('freezes none, and runs nothing, where one is not there', async () => {
    fake = await three('\n[gone]\nsocket = /no/such/socket\n');

    expect(await fake.ctl(['--all', 'frozen', '--', 'touch', mark()])).toMatchObject({ status: 125, err: expect.stringContaining('gone: cannot connect') });
    expect(existsSync(mark())).toBe(false);
    for (const guest of fake.guests.values()) expect(guest.log.texts('account')).toEqual([]);
  });

  it('thaws all, and runs nothing, where one refuses to freeze', async () => {
    fake = await three();
    await fake.ctl(['--guest', 'b', 'freeze']);

    const told = await fake.ctl(['--all', 'frozen', '--', 'touch', mark()]);

    expect(told).toMatchObject({ status: 125, err: expect.stringContaining('b: ') });
    expect(existsSync(mark())).toBe(false);
    expect([fake.guest('a'), fake.guest('c')].map((guest) => guest.machine.fileSystems.frozen.length)).toEqual([0, 0]);
  });

  it('says that no copy is consistent where one was thawed meanwhile', async () => {
    fake = await three();

    const running = fake.ctl(['--all', 'frozen', '--', '/bin/sh', '-c', `touch ${mark()}; while ! test -e ${mark()}.on; do sleep 0.02; done`]);
    await expect.poll(() => existsSync(mark())).toBe(true);
    const other = new GuestClient(fake.guest('b').connect());
    await other.execute('guest-fsfreeze-thaw');
    await writeFile(`${mark()}.on`, '');

    expect(await running).toMatchObject({ status: 122, err: expect.stringMatching(/b: the guest was thawed/) });
    await thawed();
  });

  it('thaws all through new connections where one was lost', async () => {
    fake = await three();

    const running = fake.ctl(['--all', 'frozen', '--', '/bin/sh', '-c', `touch ${mark()}; while ! test -e ${mark()}.on; do sleep 0.02; done`]);
    await expect.poll(() => existsSync(mark())).toBe(true);
    fake.cut('b');
    await writeFile(`${mark()}.on`, '');

    expect((await running).status).toBe(122);
    await thawed();
  });

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('thaws all on %s, and ends the command', async (signal) => {
    fake = await three();
    const signals = new EventEmitter();

    const running = fake.ctl(['--all', 'frozen', '--', '/bin/sh', '-c', `touch ${mark()}; exec sleep 60`], { signals });
    await expect.poll(() => existsSync(mark())).toBe(true);
    signals.emit(signal);

    expect((await running).status).toBe(128 + { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 }[signal]);
    await thawed();
  });

  it('thaws all when --timeout is over', async () => {
    fake = await three();

    expect(await fake.ctl(['--all', 'frozen', '--timeout', '0.5', '--', 'sleep', '60'])).toMatchObject({ status: 124 });
    await thawed();
  });

  it('thaws all when one has not answered the freeze within --freeze-within', async () => {
    fake = await FakeGuests.of({ a: {}, b: { timeline: [{ on: 'guest-fsfreeze-freeze', do: 'answer-lost' }] } });

    const told = await fake.ctl(['--all', 'frozen', '--freeze-within', '3', '--', 'touch', mark()]);

    expect(told).toMatchObject({ status: 125, err: 'concierge-ctl: b: no answer within 3 s\n' });
    expect(existsSync(mark())).toBe(false);
    await expect.poll(frozenIn).toEqual([0, 0]);
  });

  it.each(['0', 'soon', '-1'])('knows no --freeze-within of %s', async (given) => {
    fake = await FakeGuests.of({ a: {} });

    expect(await fake.ctl(['--all', 'frozen', `--freeze-within=${given}`, '--', 'true'])).toMatchObject({ status: 2, err: expect.stringContaining('--freeze-within takes a number of seconds') });
  });

  it('leaves the thaw of all to their deadlines when it is killed', async () => {
    fake = await FakeGuests.of({ a: {}, b: {}, c: {} }, '', false);
    const child = spawn(process.execPath, [join(import.meta.dirname, '../../../../client/cli/main.ts'), '--all', 'frozen', '--', '/bin/sh', '-c', 'kill -KILL $PPID'], {
      env: { ...process.env, CONCIERGE_GUESTS: fake.list }, stdio: 'ignore',
    });
    const [status, signal] = (await once(child, 'exit')) as [number | null, string | null];
    const held = frozenIn();
    for (const guest of fake.guests.values()) await guest.advance(600_000);

    expect([status, signal]).toEqual([null, 'SIGKILL']);
    expect(held).toEqual([4, 4, 4]);
    expect(frozenIn()).toEqual([0, 0, 0]);
  });

  it('ends with 127 where there is no such command, and thaws all', async () => {
    fake = await three();

    expect(await fake.ctl(['--all', 'frozen', '--', '/no/such/program'])).toMatchObject({ status: 127, err: expect.stringContaining('there is no program /no/such/program') });
    await thawed();
  });
});

describe('withAllFrozen', () => {
  const guests = async (): Promise<readonly GuestToFreeze[]> =>
    Promise.all([...fake.guests.keys()].map(async (name) => ({ name, client: new GuestClient(await connectUnix(join(fake.directory, `${name}.sock`))) })));

  it('gives the work what it needs, and answers what it answered', async () => {
    fake = await three();

    const { result, held } = await withAllFrozen(await guests(), async ({ counts, check }) => {
      await check();
      expect(frozenIn()).toEqual([4, 4, 4]);
      return [...counts];
    });

    expect(result).toEqual([['a', 4n], ['b', 4n], ['c', 4n]]);
    expect(held.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    await thawed();
  });

  it('thaws the others at once where one does not answer the freeze, however long its own thaw takes', async () => {
    fake = await three();
    const stuck = scriptedAgent();
    const asked: string[] = [];
    const thawing = (async () => {
      while (asked.at(-1) !== 'guest-fsfreeze-thaw') asked.push(await stuck.nextRequest());
    })();
    let isOver = false;
    const work = vi.fn(() => Promise.resolve());
    const holding = withAllFrozen([...(await guests()), { name: 'stuck', client: new GuestClient(stuck.host) }], work, { freezeTimeoutMs: 2000 }).finally(() => (isOver = true));
    holding.catch(() => undefined);

    await thawing;
    await thawed();

    expect([isOver, asked]).toEqual([false, ['guest-fsfreeze-freeze', 'guest-fsfreeze-thaw']]);
    stuck.hangUp();
    await expect(holding).rejects.toMatchObject({ kind: 'left-frozen', message: expect.stringMatching(/^stuck: the guest may still be frozen/) });
    expect(work).not.toHaveBeenCalled();
  });

  it('freezes nobody where one does not listen', async () => {
    fake = await three();
    const deaf = new GuestClient(scriptedAgent({ synchronizes: () => false }).host, { timeoutMs: 20 });

    await expect(withAllFrozen([...(await guests()), { name: 'deaf', client: deaf }], () => Promise.resolve())).rejects.toMatchObject({ kind: 'timeout', message: 'deaf: no answer within 0.02 s' });
    for (const guest of fake.guests.values()) expect(guest.log.texts('account')).toEqual([]);
  });

  it('fails as the work failed', async () => {
    fake = await three();
    const error = new Error('no space');

    await expect(withAllFrozen(await guests(), async () => {
      throw error;
    })).rejects.toBe(error);
    await thawed();
  });

  it('is given up by a signal, before and meanwhile', async () => {
    fake = await three();
    const controller = new AbortController();

    await expect(withAllFrozen(await guests(), () => Promise.resolve(), { signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: 'aborted' });
    await expect(withAllFrozen(await guests(), async () => {
      controller.abort();
      await new Promise(() => undefined);
    }, { signal: controller.signal })).rejects.toMatchObject({ kind: 'aborted' });
    await thawed();
  });

  it('does nothing for no guests but the work', async () => {
    fake = await FakeGuests.of({});

    expect(await withAllFrozen([], () => Promise.resolve(7))).toEqual({ result: 7, held: [] });
  });
});
