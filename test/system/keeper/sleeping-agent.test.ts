// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { until } from '../../unit/transport/until.ts';
import { AgentProcess, program, scratchDirectory } from '../../wire/lib/agent-process.ts';
import { PseudoTerminal } from '../../wire/lib/pseudo-terminal.ts';
import { agentOf, ask, asleep, endAll, keptAgent, starts } from './kept-agent.ts';
import { keeperPath } from './keeper-lab.ts';

afterEach(endAll);

describe('a sleeping agent', () => {
  it('is started by the next request of a client that stays connected, and answers it', async () => {
    const keeper = await keptAgent();
    const host = await keeper.connect();
    expect(await ask(host, 'guest-ping')).toEqual({});
    await asleep(keeper);
    const before = starts(keeper);

    expect(await ask(host, 'guest-sync', { id: 5 })).toBe(5);

    expect(starts(keeper)).toBe(before + 1);
    host.close();
  });

  it('is started by a client that comes', async () => {
    const keeper = await keptAgent();
    await asleep(keeper);

    const host = await keeper.connect();

    expect(await ask(host, 'guest-ping')).toEqual({});
    host.close();
  });

  it('answers what several clients said meanwhile, each its own, in order', async () => {
    const keeper = await keptAgent();
    const hosts = [await keeper.connect(), await keeper.connect(), await keeper.connect()];
    for (const host of hosts) await ask(host, 'guest-ping');
    await asleep(keeper);
    const before = starts(keeper);

    for (const [index, host] of hosts.entries()) {
      host.send(`{"execute": "guest-sync", "arguments": {"id": 1${index}}}{"execute": "guest-sync", "arguments": {"id": 2${index}}}\n{"execute": "guest-`);
      host.send(`sync", "arguments": {"id": 3${index}}}\n`);
    }

    for (const [index, host] of hosts.entries()) {
      for (const number of [1, 2, 3]) expect((await host.line())?.toString()).toBe(`{"return": ${number}${index}}`);
      host.close();
    }
    expect(starts(keeper)).toBe(before + 1);
  });

  it('lets a client go that leaves meanwhile, and serves the others', async () => {
    const keeper = await keptAgent();
    const [stays, leaves] = [await keeper.connect(), await keeper.connect()];
    await ask(stays, 'guest-ping');
    await ask(leaves, 'guest-ping');
    await asleep(keeper);

    leaves.close();

    expect(await ask(stays, 'guest-ping')).toEqual({});
    stays.close();
  });

  it('does not lose the result of a program', async () => {
    const keeper = await keptAgent();
    const host = await keeper.connect();
    const { pid } = (await ask(host, 'guest-exec', { path: '/bin/sh', arg: ['-c', 'echo whole; echo words >&2; exit 4'], 'capture-output': true })) as { pid: number };
    await asleep(keeper);

    const base64 = (text: string): string => Buffer.from(text).toString('base64');
    expect(await ask(host, 'guest-exec-status', { pid })).toMatchObject({ exited: true, exitcode: 4, 'out-data': base64('whole\n'), 'err-data': base64('words\n') });
    host.close();
  });

  it('does not give a file handle twice', async () => {
    const keeper = await keptAgent();
    const host = await keeper.connect();
    const handles: unknown[] = [];

    for (let turn = 0; turn < 2; turn++) {
      const handle = await ask(host, 'guest-file-open', { path: '/etc/hostname' });
      handles.push(handle);
      await ask(host, 'guest-file-close', { handle });
      await asleep(keeper);
    }

    expect(new Set(handles).size).toBe(2);
    host.close();
  });

  it('keeps its state directory to itself', async () => {
    const keeper = await keptAgent();
    await asleep(keeper);

    for (const command of [[program], [keeperPath, program]]) {
      const second = new AgentProcess({ command, allWords: ['-m', 'unix-listen', '-p', join(keeper.directory, 'other'), '-t', keeper.directory] });

      expect(await second.end()).toEqual({ code: 1, signal: null });
      expect(second.stderr).toContain(`another agent (process ${keeper.pid}) uses the state directory ${keeper.directory}`);
    }
  });

  it('serves where the configuration says by now, and takes its old socket away', async () => {
    const directory = scratchDirectory();
    const configuration = join(directory, 'ga.conf');
    const at = (name: string): string => join(directory, name);
    const moveTo = (name: string): void => writeFileSync(configuration, `[general]\nmethod=unix-listen\npath=${at(name)}\nstatedir=${directory}\n[concierge]\nsleep-after=1\n`);
    moveTo('old');
    const keeper = await keptAgent({ directory, allWords: ['--verbose'], environment: { QGA_CONF: configuration } });
    await asleep(keeper);

    moveTo('new');
    (await keeper.connect(at('old'))).close();
    await until(() => existsSync(at('new')) && !existsSync(at('old')));
    await asleep(keeper);
    const host = await keeper.connect(at('new'));

    expect(await ask(host, 'guest-sync', { id: 6 })).toBe(6);
    expect(starts(keeper)).toBe(3);
    host.close();
  });

  it('goes on with what the configuration said before somebody broke it, and says so once', async () => {
    const directory = scratchDirectory();
    const configuration = join(directory, 'ga.conf');
    writeFileSync(configuration, '[general]\nblock-rpcs=guest-get-users\n');
    const keeper = await keptAgent({ directory, environment: { QGA_CONF: configuration } });
    await asleep(keeper);
    writeFileSync(configuration, '[general]\nblock-rpcs\n');

    for (let turn = 0; turn < 2; turn++) {
      const host = await keeper.connect();
      expect(await ask(host, 'guest-get-users')).toEqual({ class: 'CommandNotFound', desc: 'Command guest-get-users has been disabled: the command is not allowed' });
      host.close();
      await asleep(keeper);
    }
    expect(keeper.stderr.split('what the configuration said before stays in force').length - 1).toBe(1);

    writeFileSync(configuration, '[general]\nblock-rpcs=guest-ping\n');
    const host = await keeper.connect();
    expect(await ask(host, 'guest-ping')).toMatchObject({ class: 'CommandNotFound' });
    host.close();
  });

  it('comes and goes on a serial line', async () => {
    const line = await PseudoTerminal.open();
    const directory = scratchDirectory();
    const keeper = await keptAgent({ directory, allWords: ['-m', 'isa-serial', '-p', line.path, '-t', directory, '--verbose', '--sleep-after=1'] });

    for (let turn = 1; turn <= 2; turn++) {
      await asleep(keeper);
      line.send(Buffer.from(`{"execute": "guest-sync", "arguments": {"id": ${turn}}}\n`));
      expect(await line.line()).toBe(`{"return": ${turn}}`);
    }

    expect(starts(keeper)).toBe(3);
    await line.close();
  });

  it.each([
    ['ends the service, which says why', []],
    ['is waited for with --retry-path', ['--retry-path']],
  ])('a serial line that goes away meanwhile %s', async (_what, words) => {
    const line = await PseudoTerminal.open();
    const directory = scratchDirectory();
    const keeper = await keptAgent({ directory, allWords: ['-m', 'isa-serial', '-p', line.path, '-t', directory, '--verbose', '--sleep-after=1', ...words] });
    await asleep(keeper);

    await line.close();

    if (words.length === 0) {
      expect((await keeper.end()).code).toBe(1);
      expect(keeper.stderr).toContain('the channel is lost');
    } else {
      await until(() => keeper.stderr.includes(`isa-serial ${line.path} is lost`));
      expect(starts(keeper)).toBe(2);
      expect(agentOf(keeper)).toBeDefined();
    }
  });

  it('answers when it goes on, whichever of the two was stopped', async () => {
    const keeper = await keptAgent();
    const host = await keeper.connect();
    await ask(host, 'guest-ping');
    const agent = agentOf(keeper) as number;
    process.kill(agent, 'SIGSTOP');
    const stopped = ask(host, 'guest-sync', { id: 1 });
    await wait(300);
    expect(starts(keeper)).toBe(1);
    process.kill(agent, 'SIGCONT');
    expect(await stopped).toBe(1);
    await asleep(keeper);

    keeper.signal('SIGSTOP');
    const asked = ask(host, 'guest-sync', { id: 2 });
    await wait(300);
    expect(starts(keeper)).toBe(1);
    keeper.signal('SIGCONT');

    expect(await asked).toBe(2);
    expect(starts(keeper)).toBe(2);
    host.close();
  });

  it('never sleeps with 0', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const agent = agentOf(keeper);
    const host = await keeper.connect();
    await ask(host, 'guest-ping');

    await new Promise((resolve) => setTimeout(resolve, 1500));

    expect(agentOf(keeper)).toBe(agent);
    host.close();
  });
});

describe('an agent that is killed', () => {
  it('is followed by one that goes on with its clients, and says what became of the last', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    await ask(host, 'guest-ping');

    process.kill(agentOf(keeper) as number, 'SIGKILL');

    expect(await ask(host, 'guest-sync', { id: 6 })).toBe(6);
    await until(() => keeper.stderr.includes('the agent before this one has ended unexpectedly: died signal-9 1'));
    host.close();
  });

  it('by a signal that ends it in order is followed by another one too', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    process.kill(agentOf(keeper) as number, 'SIGTERM');
    await until(() => starts(keeper) === 2);

    const host = await keeper.connect();

    expect(await ask(host, 'guest-ping')).toEqual({});
    host.close();
  });
});

describe('doctor', () => {
  it.each([['awake', '0'], ['asleep', '1']])('tells of a keeper that its agent is %s, without waking anybody', async (state, seconds) => {
    const keeper = await keptAgent({ words: [`--sleep-after=${seconds}`] });
    const doctor = (): string => {
      const { stdout } = spawnSync(program, ['doctor', '--json', '-m', 'unix-listen', '-p', keeper.socket, '-t', keeper.directory], { env: { ...process.env, QGA_CONF: '/nowhere' } });
      const findings = JSON.parse(stdout.toString()) as readonly { readonly subject: string; readonly detail: string }[];
      return findings.find(({ subject, detail }) => subject === 'keeper' && detail.startsWith(`process ${keeper.pid}:`))?.detail ?? '';
    };
    const host = await keeper.connect();
    await ask(host, 'guest-ping');
    if (state === 'asleep') await asleep(keeper);

    // Of hosts, and of the kernel, which tells of devices. One that has left is let go of a moment later.
    await vi.waitFor(() => expect(doctor()).toMatch(/: its agent has been (?:awake|asleep) for \d+ s; 1 agent so far; holds 1 listening socket, \d connections?, \d other descriptors$/), { timeout: 60_000 });

    expect(doctor()).toContain(`has been ${state} for`);
    expect(agentOf(keeper) === undefined).toBe(state === 'asleep');
    host.close();
  });
});

describe('an agent whose keeper', () => {
  /** What the keeper says before it waits for the agent's last words and its end, which are printed. */
  const withKeeper = (...says: readonly string[]): string => {
    const script = `import os, socket, subprocess, sys
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
for text in sys.argv[2:]: ours.send(text.encode("latin-1"))
agent = subprocess.Popen([sys.argv[1], "-m", "unix-listen", "-p", "/nowhere/s", "-t", "/tmp"], pass_fds=[theirs.fileno()], env={**os.environ, "CONCIERGE_GA_KEEPER": str(theirs.fileno())})
theirs.close()
print(ours.recv(100), agent.wait())`;
    const { stdout, stderr } = spawnSync('python3', ['-c', script, program, ...says], { timeout: 60_000, env: { ...process.env, QGA_CONF: '/nowhere' } });
    return stdout.toString() + stderr.toString();
  };

  it('is of a version with other messages ends it, and says what to do', () => {
    const text = withKeeper('keeper 2 99.0 start', 'go');

    expect(text).toMatch(/^b'end' 1\n/);
    expect(text).toMatch(/the keeper is that of concierge-ga 99\.0, which this agent \(\S+\) does not understand: restart the service/);
  });

  it('says what is no message hears nothing else of it', () => {
    const text = withKeeper('\xff\xfe', 'held', 'input \n', 'keeper', 'held x', 'program a b', 'go');

    expect(text).toContain(' 1\n');
    expect(text).not.toMatch(/TypeError|at .*\.cjs|SIG/);
  });
});

describe('an agent that is being started', () => {
  it('does not end of a hang-up', async () => {
    const keeper = new AgentProcess({ command: [keeperPath, '--', program], words: ['--verbose'] });
    await until(() => agentOf(keeper) !== undefined);
    for (let patience = 10_000; patience > 0 && !keeper.stderr.includes('serving'); patience -= 1) {
      keeper.signal('SIGHUP');
      await wait(1);
    }

    const host = await keeper.connect();
    keeper.signal('SIGHUP');
    expect(await ask(host, 'guest-ping')).toEqual({});
    host.close();
    expect(keeper.stderr).not.toContain('the agent has ended');
    await keeper.stop();
  });
});

describe('the end', () => {
  it.each([['awake'], ['asleep']])('of a keeper whose agent is %s is that of the service', async (state) => {
    const keeper = await keptAgent();
    if (state === 'asleep') await asleep(keeper);

    keeper.signal('SIGTERM');

    expect(await keeper.end()).toEqual({ code: 0, signal: null });
    expect(existsSync(keeper.socket)).toBe(false);
    const next = await keptAgent({ directory: keeper.directory });
    expect(next.running).toBe(true);
  });

  it('of a keeper that is killed is that of its agent', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const agent = agentOf(keeper) as number;

    keeper.signal('SIGKILL');

    await until(() => !existsSync(`/proc/${agent}`));
    await until(() => keeper.stderr.includes('the keeper has ended, and this agent with it'));
  });

  it('of an agent that cannot begin is that of the keeper', async () => {
    const keeper = new AgentProcess({ command: [keeperPath, program], allWords: ['-m', 'unix-listen', '-p', '/nonexistent/s', '-t', scratchDirectory()] });

    expect(await keeper.end()).toEqual({ code: 1, signal: null });
    expect(keeper.stderr).toContain('No such file or directory');
  });

  it.each([[['--version']], [['--help']], [['no-such-word', '--dump-conf']]])('of what is no agent is that of the keeper: %j', (words) => {
    const [alone, kept] = [spawnSync(program, words), spawnSync(keeperPath, ['--', program, ...words])];

    expect({ status: kept.status, text: kept.stdout.toString() }).toEqual({ status: alone.status, text: alone.stdout.toString() });
  });
});
