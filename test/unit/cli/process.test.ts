// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

const root = resolve(import.meta.dirname, '../../..');
/** The Node that ships: it runs the sources as they are. */
const node = join(root, 'node_modules/node/bin/node');
const main = join(root, 'adapters/cli/main.ts');
const built = existsSync(join(root, 'build/Release/concierge.node')) && process.platform === 'linux';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'concierge-process-'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

let count = 0;

/** Options for an agent of its own on the machine in memory, which nothing can happen to. */
function options(...more: string[]): { readonly words: string[]; readonly socket: string; readonly pidfile: string; readonly state: string } {
  count += 1;
  const own = join(directory, String(count));
  mkdirSync(own);
  const [socket, pidfile, state] = [join(own, 's'), join(own, 'pid'), join(own, 'state')];
  return { socket, pidfile, state, words: ['--backend=fake', '-m', 'unix-listen', '-p', socket, '-t', state, '-f', pidfile, ...more] };
}

const environment = { PATH: process.env['PATH'] };

/** Asks once; resolves with the answer's first line. */
function ask(socket: string): Promise<string> {
  return new Promise((done, fail) => {
    const connection = connect(socket, () => connection.write('{"execute":"guest-ping"}\n'));
    connection.once('error', fail);
    connection.once('data', (bytes) => {
      connection.destroy();
      done(bytes.toString());
    });
  });
}

/** Starts an agent and waits until it says that it serves. */
async function serving(words: readonly string[]): Promise<{ readonly child: ChildProcess; readonly end: Promise<number | string | null> }> {
  const child = spawn(node, [main, ...words, '-v'], { env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const end = new Promise<number | string | null>((done) => {
    child.once('exit', (status, signal) => done(signal ?? status));
  });
  await new Promise<void>((done, fail) => {
    let said = '';
    child.stderr?.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      if (said.includes('serving')) done();
    });
    void end.then((how) => fail(new Error(`ended (${how}): ${said}`)));
  });
  return { child, end };
}

describe.skipIf(!built)('a running agent (needs the native addon)', () => {
  it.each([
    ['SIGTERM', 0], ['SIGINT', 0], ['SIGHUP', 'SIGHUP'], ['SIGQUIT', 'SIGQUIT'], ['SIGUSR1', 'SIGUSR1'], ['SIGUSR2', 'SIGUSR2'], ['SIGALRM', 'SIGALRM'],
  ] as const)('ends by %s as qemu-ga does, and takes its socket away', async (signal, how) => {
    const { words, socket } = options();
    const { child, end } = await serving(words);

    child.kill(signal);

    expect(await end).toBe(how);
    expect(existsSync(socket)).toBe(false);
  });

  it('goes on after SIGPIPE and SIGCHLD', async () => {
    const { words, socket } = options();
    const { child } = await serving(words);

    child.kill('SIGPIPE');
    child.kill('SIGCHLD');

    expect(await ask(socket)).toBe('{"return": {}}\n');
  });

  it('is listed under its own name, not that of a thread of Node', async () => {
    const { child } = await serving(options().words);

    expect(readFileSync(`/proc/${child.pid}/comm`, 'utf8')).toBe('concierge-ga\n');
  });

  it('keeps others out of its state directory', async () => {
    const { words, state } = options();
    const { child } = await serving(words);

    const second = spawnSync(node, [main, ...options().words, '-t', state], { encoding: 'utf8', env: environment });

    expect([second.status, second.stderr]).toEqual([1, expect.stringContaining(`another agent (process ${child.pid}) uses the state directory ${state}`)]);
  });
});

describe.skipIf(!built)('an agent in the background (needs the native addon)', () => {
  const daemon = (words: readonly string[], cwd = directory) => spawnSync(node, [main, ...words, '-d'], { encoding: 'utf8', cwd, env: environment });

  it('serves when the command returns, from a session, directory and mask of its own', async () => {
    const { words, socket, pidfile } = options();

    const { status, stderr } = daemon(words);

    expect([status, stderr]).toEqual([0, '']);
    const pid = Number(readFileSync(pidfile, 'utf8'));
    onTestFinished(() => void process.kill(pid, 'SIGKILL'));
    expect(await ask(socket)).toBe('{"return": {}}\n');
    expect(statSync(pidfile).mode & 0o777).toBe(0o600);
    expect(readlinkSync(`/proc/${pid}/cwd`)).toBe('/');
    expect([0, 1, 2].map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))).toEqual(['/dev/null', '/dev/null', '/dev/null']);
    expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^Umask:\t0077$/m);
    expect(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[3]).toBe(String(pid));
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('QGA');
  });

  it('tells of its failure, and leaves the pid file of a running one alone', () => {
    const first = options();
    daemon(first.words);
    const pid = readFileSync(first.pidfile, 'utf8');
    onTestFinished(() => void process.kill(Number(pid), 'SIGKILL'));

    const second = daemon([...options().words, '-f', first.pidfile]);
    const third = daemon([...options().words, '-f', first.pidfile, '-p', '/no/such/directory/s']);

    expect([second.status, second.stderr]).toEqual([
      1, `concierge-ga: Cannot lock pid file: Resource temporarily unavailable (process ${pid.trim()} has ${first.pidfile})\n`,
    ]);
    expect(third.status).toBe(1);
    expect(third.stderr).toMatch(/^concierge-ga: .*\/no\/such\/directory\/s.*\n$/);
    expect(readFileSync(first.pidfile, 'utf8')).toBe(pid);
  });

  it('takes the paths of its command line from where the command was given', async () => {
    const { words, pidfile } = options();
    const place = join(directory, 'place');
    mkdirSync(place);

    daemon([...words, '-p', 'relative', '-l', 'log', '-v'], place);

    const pid = Number(readFileSync(pidfile, 'utf8'));
    onTestFinished(() => void process.kill(pid, 'SIGKILL'));
    expect(await ask(join(place, 'relative'))).toBe('{"return": {}}\n');
    expect(readFileSync(join(place, 'log'), 'utf8')).toContain('serving');
  });
});

describe('the launcher', () => {
  /** A tree with a launcher and, as its Node, a script that tells what it was given. */
  function tree(): string {
    const place = mkdtempSync(join(directory, 'tree '));
    cpSync(join(root, 'bin/concierge-ga'), join(place, 'bin/concierge-ga'));
    mkdirSync(join(place, 'runtime'));
    mkdirSync(join(place, 'dist'));
    writeFileSync(join(place, 'dist/concierge-ga.cjs'), '');
    writeFileSync(join(place, 'runtime/node'), '#!/bin/sh\nprintf "<%s>" "$@"\necho\nprintf "%s" "[$(tr "\\0" "," </proc/$$/environ)]"\n');
    chmodSync(join(place, 'runtime/node'), 0o755);
    return place;
  }

  const launch = (file: string, words: readonly string[], env: NodeJS.ProcessEnv, cwd = '/'): readonly string[] =>
    spawnSync(file, words, { encoding: 'utf8', env, cwd }).stdout.split('\n');

  it('starts the Node beside it with every word as it came', () => {
    const place = tree();

    const [words] = launch(join(place, 'bin/concierge-ga'), ['-F', '', 'a b', '$x', '*'], {});

    expect(words).toBe(`<--max-semi-space-size=2><--min-semi-space-size=2><--heap-growing-percent=100><${place}/bin/../dist/concierge-ga.cjs><--argv0=${place}/bin/concierge-ga><-F><><a b><$x><*>`);
  });

  it('works through links, relative and absolute, under the name of qemu-ga', () => {
    const place = tree();
    mkdirSync(join(place, 'sbin'));
    symlinkSync('../bin/concierge-ga', join(place, 'sbin/qemu-ga'));
    symlinkSync(join(place, 'sbin/qemu-ga'), join(place, 'ga'));

    const [direct] = launch(join(place, 'sbin/qemu-ga'), [], {});
    const [twice] = launch('./ga', [], {}, place);

    expect(direct).toContain(`dist/concierge-ga.cjs><--argv0=${place}/sbin/qemu-ga>`);
    expect(twice).toContain('dist/concierge-ga.cjs><--argv0=./ga>');
  });

  it('passes an empty environment on as it is', () => {
    expect(launch(join(tree(), 'bin/concierge-ga'), [], {})[1]).toBe('[]');
  });

  it('passes what it is given on, and nothing more', () => {
    const [, ...passed] = launch(join(tree(), 'bin/concierge-ga'), [], { QGA_CONF: '/x y', PWD: '/', TEXT: 'two\nlines' });

    const entries = passed.join('\n').slice(1, -1).split(',').filter(Boolean);
    expect(entries.toSorted()).toEqual(['PWD=/', 'QGA_CONF=/x y', 'TEXT=two\nlines']);
  });
});
