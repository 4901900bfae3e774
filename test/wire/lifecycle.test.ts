// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { goldenPing, goldenSync, loadGolden, type GoldenExchange } from './golden.ts';
import { AgentProcess, program, scratchDirectory, type Ended } from './lib/agent-process.ts';
import { differenceOf, expectLines, verdict } from './lib/expectation.ts';
import { LineClient } from './lib/line-client.ts';
import { PseudoTerminal } from './lib/pseudo-terminal.ts';
import { pythonJson } from './lib/python-json.ts';
import { until } from './lib/until.ts';

const dir = scratchDirectory();
const hasPython = spawnSync('python3', ['-c', '']).status === 0;
const exchanges = loadGolden('lifecycle', { dir });

const signalNumbers: Readonly<Record<string, number>> = constants.signals;
const exit = ({ code, signal }: Ended): string => `exit ${signal === null ? code : -(signalNumbers[signal] ?? 0)}`;
const yes = (value: boolean): string => (value ? 'True' : 'False');
const said = (lines: readonly (Buffer | undefined)[]): string[] => lines.map((line) => line?.toString('latin1') ?? '(closed)');

/** A large answer: more than any socket's buffer holds. */
const largeRead = async (client: LineClient): Promise<void> => {
  const handle = await client.call('guest-file-open', { path: '/dev/zero' });
  client.pause();
  client.send(`${JSON.stringify({ execute: 'guest-file-read', arguments: { handle, count: 8 << 20 } })}\n`);
};

/** Clock ticks that the process has used. */
const ticks = (pid: number): number => {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ');
  return Number(fields[11]) + Number(fields[12]);
};

/** Whether it is at work for most of a while in which it has nothing to do. */
async function load(pid: number): Promise<'busy' | 'idle'> {
  const before = ticks(pid);
  await delay(500);
  return ticks(pid) - before > 25 ? 'busy' : 'idle';
}

/** What lives from one record to the next. */
const running: AgentProcess[] = [];
const daemons: number[] = [];
let agent: AgentProcess;
let client: LineClient;
let terminal: PseudoTerminal;

/** Below `dir`: who is killed takes nothing away. */
function folder(): string {
  return mkdtempSync(join(dir, 'a'));
}

async function start(directory = folder()): Promise<AgentProcess> {
  agent = await AgentProcess.start({ directory });
  running.push(agent);
  return agent;
}

async function oneClient(): Promise<LineClient> {
  client = await (await start()).connect();
  expect(await client.ask(goldenPing)).toBe('{"return": {}}');
  return client;
}

async function killed({ request }: GoldenExchange, expected: string): Promise<string[]> {
  agent.signal(`SIG${/-(\w+)/.exec(request.toString())?.[1]}` as NodeJS.Signals);
  if (expected !== 'still running') return [exit(await agent.end())];
  for (let i = 0; i < 3; i += 1) expect(await client.ask(goldenPing)).toBe('{"return": {}}');
  return ['still running'];
}

/** A daemon in a directory of its own; the pid file may be another's. */
async function daemon(name: string, pidfile = join(dir, name, 'pid'), path = join(dir, name, 's')): Promise<AgentProcess> {
  const foreground = new AgentProcess({ directory: dir, allWords: ['-m', 'unix-listen', '-p', path, '-t', join(dir, name), '-f', pidfile, '-d'] });
  await foreground.end();
  if (existsSync(pidfile)) daemons.push(Number(readFileSync(pidfile, 'utf8')));
  return foreground;
}

const pidOf = (name: string): number => Number(readFileSync(join(dir, name, 'pid'), 'utf8'));
const isGone = (pid: number): boolean => !existsSync(`/proc/${pid}`) || /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
const outcome = async (foreground: AgentProcess): Promise<string> =>
  pythonJson({ exit: (await foreground.end()).code, stdout: foreground.stdout, stderr: foreground.stderr.replaceAll(dir, '$TMP').replaceAll(program, '$EXE').replace(/process \d+/, 'process PID') });

const activated = (count: number, socket: string): readonly string[] => ['python3', join(import.meta.dirname, 'lib/activate.py'), socket, String(count), program];

/** How each record is made again; gives the recorded lines. */
const replays: Readonly<Record<string, (exchange: GoldenExchange, expected: string) => Promise<string[]>>> = {
  'SIGTERM without client': async (exchange, expected) => {
    await start();
    return killed(exchange, expected);
  },
  'SIGTERM with running exec': async (exchange, expected) => {
    const { pid } = (await (await oneClient()).call('guest-exec', { path: '/bin/sleep', arg: ['60'] })) as { pid: number };
    const how = await killed(exchange, expected);
    const isLeft = !isGone(pid);
    process.kill(pid);
    expect(isLeft).toBe(true);
    return how;
  },
  'partial request, then new connection': async () => {
    await oneClient();
    client.send('{"execute":"guest-pi');
    client.close();
    client = await agent.connect();
    return said(await client.exchange(goldenPing)).slice(0, -2);
  },
  'then 0xFF + sync-delimited': async (exchange) => said(await client.exchange(Buffer.alloc(0), { ...LineClient.sync(770004), request: goldenSync({ ...exchange, after_sync: exchange.responses }) })),
  'request continued over two connections': async () => {
    client.send('{"execute":');
    client.close();
    client = await agent.connect();
    return said(await client.exchange(Buffer.from('"guest-ping"}'))).slice(0, -2);
  },
  'second client while first is connected': async () => {
    const second = await agent.connect();
    const answer = await second.ask(goldenPing);
    second.close();
    return [answer];
  },
  'second client after the first left': async () => {
    client.close();
    client = await agent.connect();
    return [await client.ask(goldenPing)];
  },
  'how many clients can queue': async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => agent.connect()));
    const answers = await Promise.all(all.map((one) => one.ask(goldenPing)));
    for (const one of all) one.close();
    return [`${answers.filter((answer) => answer === '{"return": {}}').length} served`];
  },
  'ping after aborted queued clients': async () => [await client.ask(goldenPing)],
  'half close': async () => {
    const second = await agent.connect();
    second.halfClose();
    return said([await second.line()]).filter((line) => line !== '(closed)');
  },
  'request then half close': async () => {
    const second = await agent.connect();
    second.send(goldenPing);
    second.halfClose();
    const lines = said([await second.line(), await second.line()]);
    expect(lines.at(-1)).toBe('(closed)');
    return lines.slice(0, -1);
  },
  '50 requests then close without reading, new client': async () => {
    client.send(Buffer.concat(Array.from({ length: 50 }, () => goldenPing)));
    client.close();
    client = await agent.connect();
    return said(await client.exchange(goldenPing)).slice(0, -2);
  },
  'client does not read a 1.4 MB answer: cpu': async () => {
    await largeRead(client);
    const second = await agent.connect();
    // Its answer says that the other request was taken, and that nobody waits for the slow one.
    expect(await second.ask(goldenPing)).toBe('{"return": {}}');
    second.close();
    return [await load(agent.pid)];
  },
  'SIGTERM while blocked on a slow reader': killed,
  'second agent on the same socket path': async () => {
    await oneClient();
    const second = new AgentProcess({ directory: dir, allWords: ['-m', 'unix-listen', '-p', agent.socket, '-t', join(dir, 'second')] });
    const { code } = await second.end();
    const newcomer = await LineClient.open(agent.socket);
    const lines = [await newcomer.ask(goldenPing), `second: exit ${code}, ${second.stderr.replaceAll(agent.socket, 'PATH').replaceAll(program, '$EXE').replace(String(agent.pid), 'PID').trim()}`];
    newcomer.close();
    return lines;
  },
  'first agent still serves its old client': async () => [await client.ask(goldenPing)],
  'stale socket after SIGKILL': async () => {
    const directory = agent.directory;
    agent.signal('SIGKILL');
    await agent.end();
    expect(lstatSync(join(directory, 's')).isSocket()).toBe(true);
    await start(directory);
    const again = [`listens again: ${yes(existsSync(agent.socket))}`];
    await agent.stop();
    return again;
  },
  'stderr with -v: connect, ping, exec': async () => {
    agent = new AgentProcess({ directory: folder(), words: ['-v'] });
    client = await agent.connect();
    await client.ask(goldenPing);
    await client.call('guest-exec', { path: '/bin/echo', arg: ['x'], 'capture-output': true });
    client.close();
    await until(() => agent.stderr.includes('has gone'));
    await agent.stop();
    return agent.stderr.trim().replace(/^\d+\.\d{6}:/gm, 'TIME:').replaceAll(agent.directory, '{dir}').replace(/process \d+ of user \d+/g, 'process PID of user UID').split('\n');
  },
  daemonize: async () => {
    const foreground = await daemon('daemon');
    const pid = pidOf('daemon');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const pidfile = join(dir, 'daemon/pid');
    return [
      await outcome(foreground),
      pythonJson({
        'pidfile text is pid+newline': readFileSync(pidfile, 'utf8') === `${pid}\n`,
        cwd: readlinkSync(`/proc/${pid}/cwd`),
        fd0: readlinkSync(`/proc/${pid}/fd/0`),
        fd1: readlinkSync(`/proc/${pid}/fd/1`),
        fd2: readlinkSync(`/proc/${pid}/fd/2`),
        'session leader': spawnSync('ps', ['-o', 'sid=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim() === String(pid),
        umask: /^Umask:\s+(\d+)/m.exec(status)?.[1],
        'pidfile mode': `0o${(statSync(pidfile).mode & 0o777).toString(8)}`,
        'pidfile locked (fcntl)': new RegExp(`POSIX .* ${pid} .*:${statSync(pidfile).ino} `).test(readFileSync('/proc/locks', 'utf8')),
      }),
    ];
  },
  'second daemon, same pidfile': async () => {
    const second = await daemon('second', join(dir, 'daemon/pid'));
    return [await outcome(second), `pidfile still there: ${yes(existsSync(join(dir, 'daemon/pid')))}`];
  },
  'second daemon that fails to start, same pidfile': async () => {
    const second = await daemon('second', join(dir, 'daemon/pid'), join(dir, 'nowhere/s'));
    return [pythonJson({ exit: (await second.end()).code }), `pidfile of the first still there: ${yes(existsSync(join(dir, 'daemon/pid')))}`];
  },
  'daemon SIGTERM': async () => {
    const pid = pidOf('daemon');
    process.kill(pid, 'SIGTERM');
    await until(() => isGone(pid));
    return [`pidfile left: ${yes(existsSync(join(dir, 'daemon/pid')))}`, `socket left: ${yes(existsSync(join(dir, 'daemon/s')))}`];
  },
  'stale pidfile (not locked)': async () => {
    const pidfile = join(dir, 'daemon/pid');
    writeFileSync(pidfile, '1\n');
    const foreground = await daemon('daemon');
    return [exit(await foreground.end()), `pidfile rewritten: ${yes(readFileSync(pidfile, 'utf8') !== '1\n')}`];
  },
  'pidfile in a missing directory': async () => {
    const lines = [await outcome(await daemon('third', join(dir, 'nodir/pid')))];
    expect(existsSync(join(dir, 'third/s'))).toBe(false);
    return lines;
  },
  'isa-serial over a pty': ({ request }) => overTerminal('isa-serial', request),
  'isa-serial pty hangup': (_, expected) => hungUp(expected),
  'virtio-serial over a pty': ({ request }) => overTerminal('virtio-serial', request),
  'virtio-serial pty hangup': (_, expected) => hungUp(expected),
  'systemd socket activation (LISTEN_FDS=1)': async () => {
    const socket = join(dir, 'activated');
    agent = new AgentProcess({ command: activated(1, socket), directory: dir, allWords: ['-t', join(dir, 'activation')] });
    client = await agent.connect(socket);
    return [await client.ask(goldenPing)];
  },
  'socket activation SIGTERM': async () => {
    agent.signal('SIGTERM');
    return [exit(await agent.end()), `socket file left: ${yes(existsSync(join(dir, 'activated')))}`];
  },
  'socket activation with 2 fds': async () => {
    const second = new AgentProcess({ command: activated(2, join(dir, 'two')), directory: dir, allWords: ['-t', join(dir, 'activation')] });
    return [exit(await second.end()), second.stderr.replaceAll(program, '$EXE')];
  },
};

async function overTerminal(method: string, request: Buffer): Promise<string[]> {
  terminal = await PseudoTerminal.open();
  // As the recording was made: a virtio port echoes nothing either, and an agent leaves it as it is.
  if (method === 'virtio-serial') spawnSync('stty', ['raw', '-echo', '-F', terminal.path]);
  agent = new AgentProcess({ directory: dir, allWords: ['-m', method, '-p', terminal.path, '-t', join(dir, method), '-v'] });
  await until(() => !agent.running || agent.stderr.includes('serving'));
  terminal.send(request);
  return [await terminal.line(), await terminal.line()];
}

async function hungUp(expected: string): Promise<string[]> {
  await terminal.close();
  if (!expected.startsWith('still running')) return [exit(await agent.end())];
  const how = await load(agent.pid);
  const isRunning = agent.running;
  agent.signal('SIGTERM');
  await agent.end();
  return [isRunning ? `still running, ${how}` : 'ended'];
}

afterEach(async () => {
  for (const one of running.splice(0, running.length - 1)) if (one.running) await one.stop();
});

afterAll(async () => {
  for (const one of running) if (one.running) await one.stop();
  for (const pid of daemons) if (!isGone(pid)) process.kill(pid);
  rmSync(dir, { recursive: true, force: true });
});

const needsPython = /pty|socket activation/;

describe('recorded lives of the process', () => {
  for (const exchange of exchanges) {
    const expected = differenceOf(exchange)?.responses ?? exchange.responses;
    const missing = needsPython.test(exchange.name) && !hasPython;

    it.skipIf(missing)(`${exchange.name}: ${verdict(exchange)}${missing ? ' (needs python3)' : ''}`, async () => {
      const replay = replays[exchange.name] ?? (async (...all: Parameters<typeof killed>) => {
        await oneClient();
        return killed(...all);
      });

      expectLines(await replay(exchange, expected[0] as string), expected);
    });
  }

  it('every recording is made again by what its name says', () => {
    const others = exchanges.map(({ name }) => name).filter((name) => replays[name] === undefined);
    expect(others.filter((name) => !/^SIG[A-Z0-9]+$/.test(name))).toEqual([]);
  });
});
