// SPDX-License-Identifier: Apache-2.0
/** What becomes of programs that are conversed with when something happens to the agent of a keeper. */
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../unit/transport/until.ts';
import { Conversation, exec } from '../programs/conversation.ts';
import { program as agentProgram } from '../../wire/lib/agent-process.ts';
import { agentOf, ask, endAll, keptAgent, starts } from './kept-agent.ts';
import { keeperPath } from './keeper-lab.ts';

afterEach(endAll);

const terminal = { rows: 24, columns: 80 };
const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

describe('a program that is conversed with, and a keeper', () => {
  it('is hung up when its agent is killed, on a terminal and with its input; the next agent knows neither', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    const onTerminal = await Conversation.start(host, '/bin/sh', { arg: ['-c', 'sleep 1000; exit 1'], terminal });
    const reads = await Conversation.start(host, 'cat', { stdin: 'open' });
    const before = starts(keeper);

    process.kill(agentOf(keeper) as number, 'SIGKILL');
    await until(() => starts(keeper) > before);

    await expect.poll(() => [onTerminal, reads].map(({ pid }) => isAlive(pid)), { timeout: 60_000 }).toEqual([false, false]);
    for (const { program } of [onTerminal, reads]) expect(await ask(host, '__org.concierge_exec-exchange', { program })).toMatchObject({ desc: `there is no program ${program}` });
    expect(await exec(host, 'list')).toEqual([]);
    host.close();
  });

  it('keeps its agent awake, and holds an update off, until all of it is told and forgotten', async () => {
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
    const conversation = await Conversation.start(host, 'cat', { terminal });
    const agent = agentOf(keeper);

    install();
    keeper.signal('SIGUSR2');
    await until(() => statSync(`/proc/${keeper.pid}/exe`).ino === statSync(path).ino);
    await conversation.type('still here\n');
    await conversation.until('still here\r\nstill here\r\n');
    expect(agentOf(keeper)).toBe(agent);
    await exec(host, 'signal', { program: conversation.program, signal: 'KILL' });
    await conversation.end();
    expect(agentOf(keeper)).toBe(agent);
    await exec(host, 'forget', { program: conversation.program });

    await until(() => agentOf(keeper) !== agent);
    expect(await ask(host, 'guest-ping')).toEqual({});
    host.close();
    await endAll();
    rmSync(directory, { recursive: true });
  });
});
