// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { AgentProcess } from '../../wire/lib/agent-process.ts';
import type { LineClient } from '../../wire/lib/line-client.ts';
import { ask, Conversation, exec } from './conversation.ts';

const isRoot = process.getuid?.() === 0;
const terminal = { rows: 24, columns: 80 };
const bash = { path: '/bin/bash', args: { arg: ['--norc', '--noprofile', '--noediting', '-i'], env: ['PS1=> ', 'HISTFILE'], terminal } } as const;

const isAlive = (pid: number): boolean => existsSync(`/proc/${pid}`) && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
const childrenOf = (pid: number): readonly number[] => (readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').match(/\d+/g) ?? []).map(Number);
const memoryOf = (pid: number): number => Number(/^Anonymous:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);

/** What its terminal's foreground is named. */
const foregroundOf = (pid: number): string => {
  const group = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[7];
  return readFileSync(`/proc/${group}/comm`, 'utf8').trim();
};

let agent: AgentProcess;
let host: LineClient;

beforeEach(async () => {
  agent = await AgentProcess.start();
  host = await agent.connect();
});

afterEach(async () => {
  host.close();
  await agent.stop();
});

const shell = async (): Promise<Conversation> => {
  const conversation = await Conversation.start(host, bash.path, bash.args);
  await conversation.until('> ');
  return conversation;
};

describe.skipIf(platform() !== 'linux' || !existsSync('/bin/bash'))('a shell on a terminal (needs Linux, bash)', () => {
  it('has job control: Ctrl-C, Ctrl-Z and Ctrl-\\ reach what is in the foreground, and the shell stays', async () => {
    const conversation = await shell();

    await conversation.type('sleep 100\n');
    await conversation.until('\n');
    // A signal that comes before the child has executed it finds a shell.
    await expect.poll(async () => {
      await conversation.exchange({ 'wait-ms': 0 });
      return foregroundOf(conversation.pid);
    }, { timeout: 60_000 }).toBe('sleep');
    await conversation.type('\x03');
    await conversation.until('> ');
    await conversation.type('echo $?\n');
    expect(await conversation.until('> ')).toContain('\n130\r\n');

    await conversation.type('cat\n');
    await conversation.type('x\n');
    await conversation.until('x\r\nx\r\n');
    await conversation.type('\x1a');
    expect(await conversation.until('> ')).toContain('Stopped');
    await conversation.type('fg\n');
    // The shell names what goes on: before or behind what is typed meanwhile.
    await conversation.until('cat\r\n');
    await conversation.type('y\n');
    await conversation.until('y\r\ny\r\n');
    await conversation.type('\x1c');
    expect(await conversation.until('> ')).toContain('Quit');

    await conversation.type('exit 7\n');
    expect(await conversation.end()).toMatchObject({ exited: true, exitcode: 7, 'output-ended': true });
  });

  it('sees another size, and is told of it', async () => {
    const conversation = await shell();
    await conversation.type("trap 'stty size' WINCH\n");
    await conversation.until('> ');

    await exec(host, 'resize', { program: conversation.program, rows: 50, columns: 132 });
    // bash runs traps between commands.
    await conversation.type('\n');
    await conversation.until('50 132\r\n');
    await conversation.type('tty; stty size; exit\n');

    expect(await conversation.end()).toMatchObject({ exitcode: 0 });
    expect(conversation.text).toMatch(/\/dev\/pts\/\d+\r\n50 132\r\n/);
  });

  it('is clean for all 256 bytes, both ways, where the terminal is raw', async () => {
    const bytes = Buffer.from(Array.from({ length: 2048 }, (_, index) => index & 0xff));
    const conversation = await Conversation.start(host, '/bin/sh', { arg: ['-c', `stty raw -echo; echo ready; exec head -c ${bytes.length}`], terminal });
    await conversation.until('ready\n');
    const from = conversation.text.length;

    await conversation.type(bytes.toString('latin1'));
    await conversation.end();

    expect(Buffer.from(conversation.text.slice(from), 'latin1').equals(bytes)).toBe(true);
  });

  it('may die, and its terminal with it, whoever else holds that', async () => {
    const conversation = await shell();
    await conversation.type(`(trap "" HUP; sleep 100) & echo "child" $!\n`);
    await conversation.until('\nchild ');
    const child = Number.parseInt(await conversation.until('\r'), 10);

    await exec(host, 'signal', { program: conversation.program, signal: 'KILL' });
    const end = await conversation.end();

    expect(end).toMatchObject({ exited: true, signal: 9, 'output-ended': true });
    expect(isAlive(child)).toBe(true);
    for (const one of [child, ...childrenOf(child)]) process.kill(one, 'SIGKILL');
  });

  it('is not hung up because its program closes what it has of the terminal before it ends', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'concierge-terminal-'));
    const mayEnd = join(directory, 'may-end');
    const conversation = await Conversation.start(host, '/bin/sh', {
      terminal, arg: ['-c', 'exec <&- >&- 2>&-; while [ ! -e "$0" ]; do sleep 0.05; done; exit 4', mayEnd],
    });

    for (let ended = false; !ended;) ({ 'output-ended': ended } = await conversation.exchange({ 'end-of-input': true, 'input-offset': 0 }));
    writeFileSync(mayEnd, '');
    const end = await conversation.end();
    rmSync(directory, { recursive: true });

    expect(end).toMatchObject({ exited: true, exitcode: 4, 'output-ended': true });
  });

  it.skipIf(!isRoot)('is what su would make of it: user, groups, environment, a terminal of its own', async () => {
    const conversation = await Conversation.start(host, '/bin/sh', {
      user: 'nobody', terminal, env: ['A=1'], 'working-directory': '/tmp',
      arg: ['-c', 'id -un; id -Gn; echo "$USER $LOGNAME $A"; pwd; : > "$(tty)" && echo mine; cat /proc/self/status | grep ^CapEff'],
    });

    await conversation.end();

    expect(conversation.text).toBe('nobody\r\nnogroup\r\nnobody nobody 1\r\n/tmp\r\nmine\r\nCapEff:\t0000000000000000\r\n');
    expect(readFileSync(`/proc/${agent.pid}/status`, 'utf8')).toMatch(/^CapEff:\s+0*[1-9a-f]/m);
  });
});

describe.skipIf(platform() !== 'linux')('programs that hosts converse with (needs Linux)', () => {
  it('a program that floods waits where nobody reads, and nobody else does', async () => {
    const conversation = await Conversation.start(host, 'yes');
    await expect.poll(() => readFileSync(`/proc/${conversation.pid}/wchan`, 'utf8') + readFileSync(`/proc/${conversation.pid}/stat`, 'utf8').split(' ')[2], { timeout: 60_000 }).toMatch(/pipe|S$/);
    const before = memoryOf(agent.pid);

    let length = 0;
    while (length < 64 * 1024 * 1024) {
      await conversation.exchange({ size: 1024 * 1024 });
      length = conversation.offset;
      conversation.heard.length = 0;
    }
    await exec(host, 'signal', { program: conversation.program, signal: 'KILL' });

    expect(memoryOf(agent.pid) - before).toBeLessThan(24 * 1024);
    expect(await ask(host, 'guest-ping')).toEqual({});
  });

  it('a host that vanishes comes back and gets every byte from where it was, in spite of lost answers', async () => {
    const lines = 200_000;
    const started = await Conversation.start(host, 'seq', { arg: [`${lines}`] });
    let last = host;
    for (let round = 0; round < 8; round += 1) {
      await started.exchange({ size: 40_000 });
      // Asked for, and gone before the answer.
      last.send(`${JSON.stringify({ execute: '__org.concierge_exec-exchange', arguments: { program: started.program, 'output-offset': started.offset } })}\n`);
      last.close();
      last = await agent.connect();
      started.host = last;
    }
    await started.end({ size: 1_000_000 });

    expect(started.text).toBe(Array.from({ length: lines }, (_, index) => `${index + 1}\n`).join(''));
    host = last;
  });

  it('a program that is tied to its connection is hung up with it, one that ignores that is killed, a detached one stays', async () => {
    const other = await agent.connect();
    const tied = await Conversation.start(other, 'sleep', { arg: ['1000'], lifetime: 'connection' });
    const rude = await Conversation.start(other, '/bin/sh', { arg: ['-c', 'trap "" HUP; while :; do sleep 1000; done'], lifetime: 'connection' });
    const free = await Conversation.start(other, 'sleep', { arg: ['1000'] });

    other.close();

    await expect.poll(() => [isAlive(tied.pid), isAlive(rude.pid), isAlive(free.pid)], { timeout: 60_000 }).toEqual([false, false, true]);
    await exec(host, 'signal', { program: free.program, signal: 'TERM' });
  });

  it('200 run at once, each with its own output, and leave nothing behind', async () => {
    const programs: { readonly program: number; readonly index: number }[] = [];
    for (let index = 0; index < 200; index += 1) {
      const args = { path: '/bin/sh', arg: ['-c', `read line; echo ${index} $line`], stdin: 'open', ...(index % 4 === 0 && { terminal }) };
      programs.push({ index, program: (await exec<{ program: number }>(host, 'start', args)).program });
    }
    const answers: string[] = [];
    for (const { program } of programs) await exec(host, 'exchange', { program, input: Buffer.from('go\n').toString('base64'), 'wait-ms': 0 });
    for (const { program } of programs) {
      for (;;) {
        const answer = await exec<{ output?: string; exited: boolean; 'output-ended': boolean }>(host, 'exchange', { program, 'wait-ms': 10_000 });
        if (!answer.exited || !answer['output-ended']) continue;
        answers.push(Buffer.from(answer.output ?? '', 'base64').toString().split(/\r?\n/u).findLast((line) => line !== '') ?? '');
        break;
      }
    }
    for (const { program } of programs) await exec(host, 'forget', { program });

    expect(answers).toEqual(programs.map(({ index }) => `${index} go`));
    expect(await exec(host, 'list')).toEqual([]);
    expect(readFileSync(`/proc/${agent.pid}/task/${agent.pid}/children`, 'utf8').trim()).toBe('');
  });

  it('a program that leaves its group goes its own way, and what it still writes holds nobody up', async () => {
    const conversation = await Conversation.start(host, '/bin/sh', { arg: ['-c', 'setsid sh -c "echo \\$\\$; sleep 0.5; yes | head -c 300000; echo gone >&2; sleep 1000" & wait $!; exit 0'] });
    await conversation.until('\n');
    const child = Number(conversation.text.trim());

    await exec(host, 'signal', { program: conversation.program, signal: 'TERM', group: true });
    let first = await conversation.exchange();
    while (!first.exited) first = await conversation.exchange();
    await exec(host, 'forget', { program: conversation.program });

    expect(first).toMatchObject({ exited: true, signal: 15 });
    // It gets past its 300 000 bytes though nobody reads them.
    await expect.poll(() => childrenOf(child).map((one) => readFileSync(`/proc/${one}/cmdline`, 'utf8')), { timeout: 60_000 }).toEqual(['sleep\x001000\x00']);
    for (const one of [child, ...childrenOf(child)]) process.kill(one, 'SIGKILL');
    await expect.poll(() => isAlive(child), { timeout: 60_000 }).toBe(false);
  });

  it('a wait on one connection holds up no other, and gives way on its own', async () => {
    const other = await agent.connect();
    const conversation = await Conversation.start(host, 'sleep', { arg: ['1000'] });
    host.send(`${JSON.stringify({ execute: '__org.concierge_exec-exchange', arguments: { program: conversation.program, 'wait-ms': 10_000 } })}\n`);

    expect(await ask(other, 'guest-ping')).toEqual({});
    host.send('{"execute": "guest-ping"}\n');
    expect(String(await host.line())).toContain('"exited": false');
    expect(String(await host.line())).toBe('{"return": {}}');
    await exec(host, 'signal', { program: conversation.program, signal: 'KILL' });
    other.close();
  });

  it('what runs is hung up when the agent ends, and when it is killed, on a terminal and with its input', async () => {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const own = await AgentProcess.start();
      const client = await own.connect();
      const onTerminal = await Conversation.start(client, 'sleep', { arg: ['1000'], terminal });
      const reads = await Conversation.start(client, 'cat', { stdin: 'open' });

      process.kill(own.pid, signal);
      await expect.poll(() => [isAlive(onTerminal.pid), isAlive(reads.pid)], { timeout: 60_000 }).toEqual([false, false]);
      client.close();
      await own.stop();
    }
  });
});
