// SPDX-License-Identifier: Apache-2.0
/** What becomes of programs that are conversed with when something happens to the agent of a keeper: they and their hosts go on. */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { connectUnix, GuestClient, terminal as clientTerminal } from '../../../client/index.ts';
import { until } from '../../unit/transport/until.ts';
import { Conversation, exec } from '../programs/conversation.ts';
import { type AgentProcess, program as agentProgram } from '../../wire/lib/agent-process.ts';
import type { LineClient } from '../../wire/lib/line-client.ts';
import { agentOf, ask, asleep, endAll, keptAgent, starts } from './kept-agent.ts';
import { keeperPath } from './keeper-lab.ts';

afterEach(endAll);

const terminal = { rows: 24, columns: 80 };
const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
const ended = (pids: readonly number[]): Promise<unknown> => expect.poll(() => pids.filter(isAlive), { timeout: 60_000 }).toEqual([]);

/** Kills the agent, and waits for the next one. */
async function kill(keeper: AgentProcess): Promise<void> {
  const [agent, before] = [agentOf(keeper) as number, starts(keeper)];
  process.kill(agent, 'SIGKILL');
  await until(() => starts(keeper) > before);
}

/** Numbers, one to a line, and how they ended. */
const counted = (from: number, to: number): string => Array.from({ length: to - from + 1 }, (_, index) => `${from + index}\n`).join('');

describe('a program that is conversed with, and a keeper', () => {
  it('goes on when its agent is killed, on pipes and on a terminal: input, output, errors, size, how it ends', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const onPipes = await Conversation.start(host, '/bin/sh', { arg: ['-c', 'while read -r line; do echo "out $line"; echo "err $line" >&2; done; exit 7'], stdin: 'open' });
    const onTerminal = await Conversation.start(host, '/bin/sh', { arg: ['-c', 'while read -r line; do echo "said $line"; stty size; done; exit 8'], terminal });
    for (const one of [onPipes, onTerminal]) await one.type('one\n');
    await onPipes.until('out one\n');
    await onTerminal.until('said one\r\n24 80\r\n');
    await exec(host, 'resize', { program: onTerminal.program, rows: 30, columns: 90 });
    const before = await exec<object[]>(host, 'list');

    await kill(keeper);

    expect(await exec(host, 'list')).toEqual(before);
    for (const one of [onPipes, onTerminal]) await one.type('two\n');
    await onPipes.until('out two\n');
    await onTerminal.until('said two\r\n30 90\r\n');
    expect(Buffer.from((await onPipes.exchange({ 'errors-offset': 0 })).errors ?? '', 'base64').toString()).toBe('err one\nerr two\n');
    await kill(keeper);
    expect(await onPipes.end({ 'end-of-input': true, 'input-offset': onPipes.input })).toMatchObject({ exited: true, exitcode: 7, 'input-ended': true });
    expect(await onTerminal.end({ 'end-of-input': true, 'input-offset': onTerminal.input })).toMatchObject({ exited: true, exitcode: 8 });
    expect(onPipes.text).toBe('out one\nout two\n');
    for (const { program } of [onPipes, onTerminal]) await exec(host, 'forget', { program });
    expect(await exec(host, 'list')).toEqual([]);
    host.close();
  });

  it('goes on for a client whose exchange waited when its agent was killed, by the next key and without one', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    // Nothing else helps: no answer has a time limit.
    using client = new GuestClient(await connectUnix(keeper.socket), { timeoutMs: 0 });
    const go = join(keeper.directory, 'go');
    using child = clientTerminal(client, '/bin/sh', ['-c', 'stty raw -echo; printf r; dd bs=1 count=1 2>/dev/null; until test -e "$0"; do sleep 0.1; done; printf late', go], terminal);
    let screen = '';
    let lost = 0;
    child.stdout?.on('data', (chunk: Buffer) => (screen += chunk.toString()));
    child.on('interrupted', () => (lost += 1));
    await until(() => screen === 'r');

    await kill(keeper);
    child.stdin?.write('k');
    await until(() => screen === 'rk');
    await kill(keeper);
    writeFileSync(go, '');
    await until(() => screen === 'rklate');

    expect(lost).toBeLessThanOrEqual(2);
    await until(() => child.exitCode === 0);
  });

  it('tells how it ended to whichever agent comes next, with all of its output', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const may = join(keeper.directory, 'may');
    const script = `printf begin; while [ ! -e ${may} ]; do sleep 0.02; done; seq 1 5000; exit 5`;
    const conversations = [await Conversation.start(host, '/bin/sh', { arg: ['-c', script] }), await Conversation.start(host, '/bin/sh', { arg: ['-c', script], terminal })];
    for (const one of conversations) await one.until('begin');
    const killed = await Conversation.start(host, 'cat', { stdin: 'open' });

    const agent = agentOf(keeper) as number;
    process.kill(agent, 'SIGSTOP');
    writeFileSync(may, '');
    process.kill(killed.pid, 'SIGINT');
    await until(() => !isAlive(killed.pid));
    process.kill(agent, 'SIGKILL');

    for (const one of conversations) {
      expect(await one.end()).toMatchObject({ exited: true, exitcode: 5, 'output-ended': true });
      expect(one.text.replaceAll('\r\n', '\n')).toBe(`begin${counted(1, 5000)}`);
      await kill(keeper);
      // What was told once can be asked for again.
      expect(await one.exchange()).toMatchObject({ exited: true, exitcode: 5, 'output-ended': true, 'output-offset': one.offset });
    }
    expect(await killed.end()).toMatchObject({ exited: true, signal: 2 });
    host.close();
  });

  it('is told of its end of input once, whenever the agent is killed', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    // Each end of input on a terminal ends one of the two.
    const conversation = await Conversation.start(host, '/bin/sh', { arg: ['-c', 'echo ready; cat; echo first; cat; echo second'], terminal });
    await conversation.until('ready\r\n');
    await conversation.exchange({ 'end-of-input': true, 'input-offset': 0, 'wait-ms': 0 });
    await kill(keeper);

    await conversation.until('first\r\n');
    await conversation.exchange({ 'end-of-input': true, 'input-offset': 0, 'wait-ms': 300 });

    expect(conversation.text).toBe('ready\r\nfirst\r\n');
    await exec(host, 'signal', { program: conversation.program, signal: 'KILL', group: true });
    await conversation.end();
    host.close();
  });

  it('waits for its readers while there is none, or keeps what it wrote last, as it was asked', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const waits = await Conversation.start(host, 'seq', { arg: ['1', '200000'] });
    const latest = await Conversation.start(host, '/bin/sh', { arg: ['-c', 'seq 1 100000; exec sleep 1000'], keep: 'latest', 'keep-bytes': 1000 });
    await until(() => /sleep/.test(readFileSync(`/proc/${latest.pid}/comm`, 'latin1')));
    await kill(keeper);

    // Another host goes on from the oldest byte.
    const [, { 'output-offset': oldest }] = [await exec(host, 'list'), await exec<{ 'output-offset': number }>(host, 'exchange', { program: waits.program })];
    expect(oldest).toBe(0);
    await waits.end();
    expect(waits.text).toBe(counted(1, 200_000));
    const last = await latest.exchange();
    expect(last['output-offset']).toBe(588_895 - 1000);
    expect(counted(1, 100_000).endsWith(latest.text)).toBe(true);
    await exec(host, 'signal', { program: latest.program, signal: 'KILL' });
    await ended([latest.pid]);
    host.close();
  });

  it('goes with its connection under the next agent too, and with one that was closed meanwhile', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const [stays, leaves, watches] = [await keeper.connect(), await keeper.connect(), await keeper.connect()];
    const start = (host: LineClient): Promise<Conversation> => Conversation.start(host, 'cat', { stdin: 'open', lifetime: 'connection' });
    const [kept, left] = [await start(stays), await start(leaves)];
    const agent = agentOf(keeper) as number;
    const before = starts(keeper);

    process.kill(agent, 'SIGSTOP');
    leaves.close();
    process.kill(agent, 'SIGKILL');
    await until(() => starts(keeper) > before);

    await ended([left.pid]);
    await kept.type('still here\n');
    await kept.until('still here\n');
    stays.close();
    await ended([kept.pid]);
    expect(await ask(watches, 'guest-ping')).toEqual({});
    watches.close();
  });

  it('keeps to its time limit', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const conversation = await Conversation.start(host, 'sleep', { arg: ['1000'], 'time-limit-ms': 3000 });
    await kill(keeper);

    expect(await conversation.end()).toMatchObject({ exited: true, signal: 15, 'timed-out': true });
    host.close();
  });

  it('is left by an agent that is asked to end, and hung up with the keeper', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const conversations = [await Conversation.start(host, 'cat', { stdin: 'open' }), await Conversation.start(host, 'cat', { terminal })];
    const agent = agentOf(keeper) as number;
    const before = starts(keeper);
    process.kill(agent, 'SIGTERM');
    await until(() => starts(keeper) > before);
    const again = await keeper.connect();
    for (const { program } of conversations) expect(await exec(again, 'exchange', { program, 'wait-ms': 0 })).toMatchObject({ exited: false });
    again.close();

    await keeper.stop();

    await ended(conversations.map(({ pid }) => pid));
    host.close();
  });

  it('lets its agent sleep while it waits for its readers, and wakes nobody; else it keeps it awake', async () => {
    const keeper = await keptAgent();
    const host = await keeper.connect();
    const conversation = await Conversation.start(host, '/bin/sh', { arg: ['-c', 'echo one; read -r line; echo "got $line"; exit 6'], stdin: 'open' });
    await conversation.until('one\n');
    const timed = await Conversation.start(host, 'sleep', { arg: ['1000'], 'time-limit-ms': 1_000_000 });
    const agent = agentOf(keeper);
    await wait(1500);
    expect(agentOf(keeper)).toBe(agent);
    await exec(host, 'signal', { program: timed.program, signal: 'KILL' });
    await timed.end();
    await exec(host, 'forget', { program: timed.program });

    await asleep(keeper);
    expect(isAlive(conversation.pid)).toBe(true);
    await conversation.type('two\n');
    await conversation.until('got two\n');

    expect(await conversation.end()).toMatchObject({ exitcode: 6 });
    await exec(host, 'forget', { program: conversation.program });
    host.close();
  });

  it('goes on over an update of the agent, which comes while a host waits for output', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'concierge-kept-'));
    const path = join(directory, 'concierge-keeper');
    const install = (): void => {
      copyFileSync(keeperPath, `${path}.new`);
      chmodSync(`${path}.new`, 0o755);
      renameSync(`${path}.new`, path);
    };
    install();
    const keeper = await keptAgent({ command: [path, '--', agentProgram], words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const conversation = await Conversation.start(host, 'cat', { terminal, lifetime: 'connection', 'time-limit-ms': 1_000_000, keep: 'latest' });
    const agent = agentOf(keeper);

    install();
    keeper.signal('SIGUSR2');
    await until(() => statSync(`/proc/${keeper.pid}/exe`).ino === statSync(path).ino);
    await conversation.exchange({ 'wait-ms': 10_000 });
    while (agentOf(keeper) === agent) await conversation.exchange({ 'wait-ms': 100 });

    await conversation.type('still here\n');
    await conversation.until('still here\r\nstill here\r\n');
    await exec(host, 'signal', { program: conversation.program, signal: 'KILL' });
    expect(await conversation.end()).toMatchObject({ signal: 9 });
    host.close();
    await endAll();
    rmSync(directory, { recursive: true });
  });

  it('leaves nothing behind with the keeper when it is forgotten', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const open = (): number => Number(spawnSync('sh', ['-c', `ls /proc/${keeper.pid}/fd | wc -l`]).stdout.toString());
    await ask(host, 'guest-ping');
    const before = open();
    for (const args of [{ stdin: 'open' }, { terminal }]) {
      const conversation = await Conversation.start(host, 'cat', args);
      await until(() => open() > before);
      await kill(keeper);
      await exec(host, 'signal', { program: conversation.program, signal: 'KILL' });
      await conversation.end();
      await exec(host, 'forget', { program: conversation.program });
      await until(() => open() === before);
    }
    host.close();
  });
});
