// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { until } from '../../unit/transport/until.ts';
import { type AgentProcess, program, scratchDirectory } from '../../wire/lib/agent-process.ts';
import type { LineClient } from '../../wire/lib/line-client.ts';
import { agentOf, ask, endAll, keptAgent, starts } from './kept-agent.ts';
import { keeperPath } from './keeper-lab.ts';

// The rows of the table "In the middle of something" of docs/keeper.md.

/** Milliseconds after a request has been sent. An answer takes less than one, but for a freeze and a thaw. */
const moments = [0, 0.2, 0.5, 1, 3];
const longMoments = [0, 2, 4, 8, 16];

const base64 = (text: string): string => Buffer.from(text).toString('base64');

let syncs = 770_000;

interface Answer {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

/** Kills the agent so long after the request has been sent. What the host hears of it, from whichever agent; `undefined`: nothing. */
async function killedAfter(ms: number, keeper: AgentProcess, host: LineClient, execute: string, args: object = {}): Promise<Answer | undefined> {
  const [agent, before] = [agentOf(keeper) as number, starts(keeper)];
  host.send(`${JSON.stringify({ execute, arguments: args })}\n`);
  if (ms > 0) await wait(ms);
  process.kill(agent, 'SIGKILL');
  // Whatever the next one reads comes after the request.
  await until(() => agentOf(keeper) !== agent && (starts(keeper) > before || agentOf(keeper) !== undefined));
  syncs += 1;
  host.send(`{"execute": "guest-sync", "arguments": {"id": ${syncs}}}\n`);
  const first = await host.text();
  if (first === `{"return": ${syncs}}`) return undefined;
  // An answer comes once, and whole.
  expect(await host.text()).toBe(`{"return": ${syncs}}`);
  return JSON.parse(first as string) as Answer;
}

describe('an agent that is killed in the middle of', () => {
  let keeper: AgentProcess;
  let host: LineClient;

  beforeEach(async () => {
    keeper = await keptAgent({ words: ['--sleep-after=0'] });
    host = await keeper.connect();
    await ask(host, 'guest-ping');
  });
  afterEach(async () => {
    host.close();
    await endAll();
  });

  it.each(moments)('guest-exec, %d ms after it was asked, has started the program at most once, and of one that it told of nothing is lost', async (ms) => {
    const ran = join(keeper.directory, 'ran');
    const answer = await killedAfter(ms, keeper, host, 'guest-exec', { path: '/bin/sh', arg: ['-c', `echo . >>${ran}; echo out; echo err >&2; exit 4`], 'capture-output': true });

    if (answer !== undefined) {
      const { pid } = answer.return as { pid: number };
      let status = await ask(host, 'guest-exec-status', { pid });
      while (!(status as { exited: boolean }).exited) status = await ask(host, 'guest-exec-status', { pid });
      expect(status).toMatchObject({ exitcode: 4, 'out-data': base64('out\n'), 'err-data': base64('err\n') });
      expect(readFileSync(ran, 'utf8')).toBe('.\n');
    }
    if (existsSync(ran)) expect(readFileSync(ran, 'utf8')).toBe('.\n');
  });

  it('guest-exec-status has the next one tell the same', async () => {
    const { pid } = (await ask(host, 'guest-exec', { path: '/bin/sh', arg: ['-c', 'echo out; exit 4'], 'capture-output': true })) as { pid: number };
    const whole = { exited: true, exitcode: 4, 'out-data': base64('out\n'), 'out-truncated': false };
    while (!((await ask(host, 'guest-exec-status', { pid })) as { exited: boolean }).exited);
    for (const ms of moments) {
      const answer = await killedAfter(ms, keeper, host, 'guest-exec-status', { pid });

      if (answer !== undefined) expect(answer.return).toEqual(whole);
      expect(await ask(host, 'guest-exec-status', { pid })).toEqual(whole);
    }
  });

  it('guest-file-read goes on where it was, or behind what was read and not told', async () => {
    mkdirSync(join(keeper.directory, 'files'));
    const path = join(keeper.directory, 'files', 'text');
    writeFileSync(path, '0123456789abcdefghij');
    const handle = await ask(host, 'guest-file-open', { path });
    const text = '0123456789abcdefghij';
    let position = 0;
    for (const ms of moments) {
      const answer = await killedAfter(ms, keeper, host, 'guest-file-read', { handle, count: 2 });

      const { position: now } = (await ask(host, 'guest-file-seek', { handle, offset: 0, whence: 'cur' })) as { position: number };
      if (answer !== undefined) expect(answer.return).toMatchObject({ 'buf-b64': base64(text.slice(position, position + 2)) });
      expect(answer === undefined ? [position, position + 2] : [position + 2]).toContain(now);
      position = now;
    }
  });

  it('guest-file-write has written all of it or nothing, once, and what was told is there', async () => {
    mkdirSync(join(keeper.directory, 'files'));
    const path = join(keeper.directory, 'files', 'text');
    const handle = await ask(host, 'guest-file-open', { path, mode: 'w' });
    let written = '';
    for (const [index, ms] of moments.entries()) {
      const piece = `${index}`.repeat(5000);

      const answer = await killedAfter(ms, keeper, host, 'guest-file-write', { handle, 'buf-b64': base64(piece) });

      const { position } = (await ask(host, 'guest-file-seek', { handle, offset: 0, whence: 'cur' })) as { position: number };
      if (answer !== undefined) expect(answer.return).toMatchObject({ count: 5000 });
      expect(answer === undefined ? [written.length, written.length + 5000] : [written.length + 5000]).toContain(position);
      if (position > written.length) written += piece;
      expect(readFileSync(path, 'utf8')).toBe(written);
    }
  });
});

/** A file system of their own in a mount namespace of their own, and then a keeper and its agent. */
const script = `set -e; d=$0/disk; mkdir -p "$d"; truncate -s 32M "$0/image"; mkfs.ext4 -q -E nodiscard "$0/image"
mount -o loop "$0/image" "$d"; exec "$1" -- "${program}" --fsfreeze-exclude=/ --hook-directory= --sleep-after=0 "$@"`.replace('"$@"', '"$2" "$3" "$4" "$5" "$6" "$7" "$8"');
const usable = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', '--propagation', 'private', 'true']).status === 0;

describe.skipIf(!usable)('with file systems (needs root, unshare, loop devices)', () => {
  let directory: string;
  let keeper: AgentProcess;
  let host: LineClient;
  const disk = (): string => `${directory}/disk`;
  /** A keeper that is this test's own, to be replaced. */
  const ours = (): string => `${directory}/concierge-keeper`;

  beforeEach(async () => {
    directory = scratchDirectory();
    copyFileSync(keeperPath, ours());
    keeper = await keptAgent({
      directory,
      command: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, directory, ours()],
      allWords: ['-m', 'unix-listen', '-p', join(directory, 's'), '-t', directory, '--verbose'],
    });
    host = await keeper.connect();
    await ask(host, 'guest-ping');
  });
  afterEach(async () => {
    host.close();
    await endAll();
    spawnSync('rm', ['-rf', directory]);
  });

  const freeze = 'guest-fsfreeze-freeze-list';
  const status = (): Promise<unknown> => ask(host, 'guest-fsfreeze-status');
  /** Whether somebody can write to it, in the mount namespace of a process. */
  const canWrite = (pid: number): boolean =>
    spawnSync('nsenter', ['--mount', '--target', String(pid), 'timeout', '-s', 'KILL', '30', 'sh', '-c', `echo x > ${disk()}/text`]).status === 0;

  it('an update while all is frozen waits for the thaw with its agent', async () => {
    expect(await ask(host, freeze, { mountpoints: [disk()] })).toBe(1);
    const agent = agentOf(keeper);
    copyFileSync(keeperPath, `${ours()}.new`);
    renameSync(`${ours()}.new`, ours());

    keeper.signal('SIGUSR2');
    await until(() => statSync(`/proc/${keeper.pid}/exe`).ino === statSync(ours()).ino);

    expect(await status()).toBe('frozen');
    expect(agentOf(keeper)).toBe(agent);
    expect(await ask(host, 'guest-fsfreeze-thaw')).toBe(1);
    await until(() => starts(keeper) === 2);
    expect(await status()).toBe('thawed');
    expect(canWrite(keeper.pid)).toBe(true);
    expect(await ask(host, freeze, { mountpoints: [disk()] })).toBe(1);
    expect(await ask(host, 'guest-fsfreeze-thaw')).toBe(1);
  });

  it('an agent that is killed in the middle of a freeze leaves all frozen or nothing, says which, and thaws', async () => {
    for (const ms of longMoments) {
      const answer = await killedAfter(ms, keeper, host, freeze, { mountpoints: [disk()] });

      const now = await status();
      if (answer !== undefined) expect([answer.return, now]).toEqual([1, 'frozen']);
      if (now === 'frozen') await ask(host, 'guest-fsfreeze-thaw');
      expect(await status()).toBe('thawed');
      expect(canWrite(keeper.pid)).toBe(true);
    }
  });

  it('an agent that is killed in the middle of a thaw leaves what the next thaw ends', async () => {
    for (const ms of longMoments) {
      expect(await ask(host, freeze, { mountpoints: [disk()] })).toBe(1);

      const answer = await killedAfter(ms, keeper, host, 'guest-fsfreeze-thaw');

      if (answer !== undefined) expect(await status()).toBe('thawed');
      if ((await status()) === 'frozen') await ask(host, 'guest-fsfreeze-thaw');
      expect(await status()).toBe('thawed');
      expect(canWrite(keeper.pid)).toBe(true);
    }
  });

  it.each([0, 4, 16].flatMap((ms) => [['a freeze', ms], ['a thaw', ms]] as const))('a keeper that is killed in the middle of %s, after %d ms, leaves nothing frozen', async (what, ms) => {
    if (what === 'a thaw') expect(await ask(host, freeze, { mountpoints: [disk()] })).toBe(1);
    // Somebody who stays in the mount namespace.
    const agent = agentOf(keeper) as number;
    const stays = spawnSync('nsenter', ['--mount', '--target', String(keeper.pid), 'sh', '-c', 'sleep 60 >/dev/null 2>&1 & echo $!']);
    const witness = Number(stays.stdout.toString());
    const request = what === 'a thaw' ? { execute: 'guest-fsfreeze-thaw' } : { execute: freeze, arguments: { mountpoints: [disk()] } };
    host.send(`${JSON.stringify(request)}\n`);
    if (ms > 0) await wait(ms);

    keeper.signal('SIGKILL');

    await until(() => !existsSync(`/proc/${agent}`));
    expect(canWrite(witness)).toBe(true);
    process.kill(witness, 'SIGKILL');
  });
});

describe('a keeper that is killed in the middle of', () => {
  afterEach(endAll);

  it.each(['exec', 'a file'])('%s ends the connection, and what was told of is done', async (what) => {
    const directory = scratchDirectory();
    mkdirSync(join(directory, 'files'));
    const keeper = await keptAgent({ directory, words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const done = join(directory, 'files', 'done');
    if (what === 'exec') {
      await ask(host, 'guest-exec', { path: '/bin/sh', arg: ['-c', `sleep 0.3; echo whole >${done}`] });
    } else {
      const handle = await ask(host, 'guest-file-open', { path: done, mode: 'w' });
      expect(await ask(host, 'guest-file-write', { handle, 'buf-b64': base64('whole\n') })).toMatchObject({ count: 6 });
      expect(await ask(host, 'guest-file-flush', { handle })).toEqual({});
    }
    const agent = agentOf(keeper) as number;

    keeper.signal('SIGKILL');

    expect(await host.line()).toBeUndefined();
    await until(() => !existsSync(`/proc/${agent}`));
    await until(() => existsSync(done) && readFileSync(done, 'utf8') === 'whole\n');
    const next = await keptAgent({ directory });
    const again = await next.connect();
    expect(await ask(again, 'guest-ping')).toEqual({});
    again.close();
    await endAll();
    spawnSync('rm', ['-rf', directory]);
  });
});
