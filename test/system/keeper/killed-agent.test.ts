// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../unit/transport/until.ts';
import type { AgentProcess } from '../../wire/lib/agent-process.ts';
import type { LineClient } from '../../wire/lib/line-client.ts';
import { keeperPath } from './keeper-lab.ts';
import { agentOf, ask, asleep, endAll, keptAgent, starts } from './kept-agent.ts';

afterEach(endAll);

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Kills the agent of now, and waits until the next one serves. */
async function kill(keeper: AgentProcess): Promise<void> {
  const before = starts(keeper);
  process.kill(agentOf(keeper) as number, 'SIGKILL');
  await until(() => starts(keeper) > before);
}

async function exec(host: LineClient, script: string, more: object = { 'capture-output': true }): Promise<number> {
  return ((await ask(host, 'guest-exec', { path: '/bin/sh', arg: ['-c', script], ...more })) as { pid: number }).pid;
}

interface Status {
  readonly exited: boolean;
  readonly [name: string]: unknown;
}

async function ended(host: LineClient, pid: number): Promise<Status> {
  for (;;) {
    const status = (await ask(host, 'guest-exec-status', { pid })) as Status;
    if (status.exited) return status;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const openOf = (keeper: AgentProcess): number => readdirSync(`/proc/${keeper.pid}/fd`).length;

/** What is counted once it changes no more: an agent that answers already may still be handing its keeper what it holds. */
async function settled(count: () => number): Promise<number> {
  for (let [seen, same] = [count(), 0]; ; [seen, same] = [count(), count() === seen ? same + 1 : 0]) {
    if (same === 20) return seen;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('a program whose agent is killed', () => {
  it('goes on, and all that it wrote, before, between and after, is answered with how it ended', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const go = join(keeper.directory, 'go');
    const pid = await exec(host, `echo before; echo error >&2; touch ${go}.1; while [ ! -e ${go} ] && [ -d ${keeper.directory} ]; do sleep 0.02; echo -n .; done; echo after; exit 7`);
    await until(() => readdirSync(keeper.directory).includes('go.1'));

    await kill(keeper);
    expect(await ask(host, 'guest-exec-status', { pid })).toEqual({ exited: false });
    await kill(keeper);
    writeFileSync(go, '');

    const status = await ended(host, pid);
    expect(status).toMatchObject({ exited: true, exitcode: 7, 'err-data': base64('error\n') });
    expect(Buffer.from(status['out-data'] as string, 'base64').toString()).toMatch(/^before\n\.+after\n$/);
    host.close();
  });

  it('and that ends while there is none has its status and output known', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const pids = [await exec(host, 'sleep 0.3; echo late; exit 3'), await exec(host, 'sleep 0.3; kill -TERM $$'), await exec(host, 'sleep 0.3; exit 9', {})];
    // A second and a third death in a row make a pause.
    await kill(keeper);
    await kill(keeper);
    const agent = agentOf(keeper);
    if (agent !== undefined) process.kill(agent, 'SIGKILL');

    expect(await ended(host, pids[0] as number)).toMatchObject({ exited: true, exitcode: 3, 'out-data': base64('late\n') });
    expect(await ended(host, pids[1] as number)).toMatchObject({ exited: true, signal: 15 });
    expect(await ended(host, pids[2] as number)).toEqual({ exited: true, exitcode: 9 });
    host.close();
  });

  it('and that had ended before is answered by every agent until it is forgotten', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const pid = await exec(host, 'echo done; exit 5');
    expect(await ended(host, pid)).toMatchObject({ exitcode: 5 });

    await kill(keeper);

    expect(await ask(host, 'guest-exec-status', { pid })).toMatchObject({ exited: true, exitcode: 5, 'out-data': base64('done\n') });
    host.close();
  });

  it('and that writes all the time loses nothing, and nothing comes twice', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const lines = 200_000;
    const pid = await exec(host, `seq 1 ${lines}`);

    await kill(keeper);
    await kill(keeper);

    const status = await ended(host, pid);
    expect(Buffer.from(status['out-data'] as string, 'base64').toString()).toBe(Array.from({ length: lines }, (_, index) => `${index + 1}\n`).join(''));
    host.close();
  });

  it('and that writes more than is kept is cut at the same place', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const pid = await exec(host, 'head -c 20000000 /dev/zero; exit 2');

    await kill(keeper);

    const status = await ended(host, pid);
    expect(status).toMatchObject({ exitcode: 2, 'out-truncated': true });
    expect(Buffer.from(status['out-data'] as string, 'base64').length).toBe(16 * 1024 * 1024);
    host.close();
  });

  it('leaves no more with the keeper than the records of its output', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const open = (): number => openOf(keeper);
    const before = await settled(open);
    const pids = [await exec(host, 'echo one'), await exec(host, 'echo two >&2')];
    for (const pid of pids) await ended(host, pid);
    await until(() => open() === before + 4);
    expect(await settled(open)).toBe(before + 4);
    host.close();
  });
});

describe('a program that was taken over', () => {
  it('is not mistaken for whoever has its number by now', () => {
    const { stdout, stderr } = spawnSync(keeperPath, ['--', process.execPath, join(import.meta.dirname, 'mistaken-number.ts')], { timeout: 60_000 });

    expect(stdout.toString(), stderr.toString()).toBe('lives\n');
  });
});

describe('a program of which only the end is to be known', () => {
  it('keeps no agent awake, and its end is told by one that was not there', async () => {
    const keeper = await keptAgent();
    const host = await keeper.connect();
    const go = join(keeper.directory, 'go');
    const pid = await exec(host, `while [ ! -e ${go} ] && [ -d ${keeper.directory} ]; do sleep 0.02; done; exit 6`, {});
    await until(() => keeper.stderr.includes('asleep'));
    writeFileSync(go, '');
    await asleep(keeper);

    expect(await ended(host, pid)).toEqual({ exited: true, exitcode: 6 });
    host.close();
  });
});

describe('what a program has left in the background', () => {
  it('writes on, whether there is an agent or none, and is told when its time has come', async () => {
    const keeper = await keptAgent();
    const host = await keeper.connect();
    const [go, done] = [join(keeper.directory, 'go'), join(keeper.directory, 'done')];
    // More than a pipe holds, again and again: it would wait for ever, or be ended by SIGPIPE, if nobody read.
    const service = `(trap '' HUP; while [ ! -e ${go} ] && [ -d ${keeper.directory} ]; do head -c 100000 /dev/zero || exit 1; sleep 0.02; done; echo $? > ${done}) &`;
    const pid = await exec(host, `${service} echo started`);
    expect(await ended(host, pid)).toMatchObject({ exitcode: 0 });

    await kill(keeper);
    await until(() => keeper.stderr.includes('asleep'));
    await asleep(keeper);
    writeFileSync(go, '');

    await until(() => readdirSync(keeper.directory).includes('done'));
    expect(await ask(host, 'guest-ping')).toEqual({});
    host.close();
  });
});

describe('pipes that are left in the background', () => {
  it('are let go of as soon as nobody writes to them any more, by the agent that saw them left and by the next one', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const before = await settled(() => openOf(keeper));
    for (const [index, killed] of [false, true].entries()) {
      const go = join(keeper.directory, `go.${index}`);
      const pid = await exec(host, `(while [ ! -e ${go} ] && [ -d ${keeper.directory} ]; do sleep 0.02; done) & echo started`);
      await ended(host, pid);
      // The two records of the output of each program stay; and two pipes.
      const records = 2 * (index + 1);
      await until(() => openOf(keeper) === before + records + 2);
      if (killed) await kill(keeper);

      writeFileSync(go, '');

      await until(() => openOf(keeper) === before + records);
    }
    host.close();
  });
});

describe('open files of an agent that is killed', () => {
  it('go on under their handles, at their positions', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    mkdirSync(join(keeper.directory, 'files'));
    const path = join(keeper.directory, 'files', 'text');
    writeFileSync(path, '0123456789');
    const reads = await ask(host, 'guest-file-open', { path });
    const appends = await ask(host, 'guest-file-open', { path, mode: 'a' });
    expect(await ask(host, 'guest-file-read', { handle: reads, count: 4 })).toMatchObject({ 'buf-b64': base64('0123') });

    await kill(keeper);

    expect(await ask(host, 'guest-file-write', { handle: appends, 'buf-b64': base64('ab') })).toMatchObject({ count: 2 });
    expect(await ask(host, 'guest-file-read', { handle: reads, count: 100 })).toMatchObject({ 'buf-b64': base64('456789ab'), eof: true });
    expect(await ask(host, 'guest-file-close', { handle: reads })).toEqual({});
    await kill(keeper);
    expect(await ask(host, 'guest-file-read', { handle: reads })).toMatchObject({ desc: `handle '${String(reads)}' has not been found` });
    expect(await ask(host, 'guest-file-seek', { handle: appends, offset: 0, whence: 'cur' })).toMatchObject({ position: 12 });
    const next = await ask(host, 'guest-file-open', { path });
    expect(Number(next)).toBeGreaterThan(Number(appends));
    host.close();
  });
});
