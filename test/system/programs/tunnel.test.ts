// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { runProgram } from '../../../client/cli/program.ts';
import { connectUnix, GuestClient, jsonReplacer } from '../../../client/index.ts';
import { ctlWith, type Told } from '../../unit/client/cli/ctl.ts';
import { AgentProcess } from '../../wire/lib/agent-process.ts';
import { freePort } from '../lib/loopback-port.ts';

/** Where a program is, behind wrappers that need a shell; absent where there is none. */
function pathOf(name: string): string | undefined {
  try {
    const found = name === 'python3' ? execFileSync('python3', ['-c', 'import sys; print(sys.executable)']) : execFileSync('sh', ['-c', `command -v ${name}`]);
    return String(found).trim();
  } catch {
    return undefined;
  }
}

const helpers = ['perl', 'python3', 'socat', 'busybox'].map((name) => ({ name, path: pathOf(name) }));
const patience = { timeout: 30_000 };

/** concierge-ctl tunnel that is on, and its end. */
interface Tunnel {
  readonly port: number;
  /** Ends it as Ctrl-C does. */
  readonly end: () => Promise<{ readonly status: number; readonly err: string }>;
}

describe.skipIf(platform() !== 'linux')('a tunnel into the guest (needs Linux)', () => {
  let directory: string;
  let agent: AgentProcess;
  let server: Server;
  let served: Socket[];
  let open: Tunnel[];

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'concierge-tunnel-'));
    served = [];
    open = [];
    server = createServer({ allowHalfOpen: true }, (socket) => served.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  afterEach(async () => {
    for (const one of open) await one.end();
    await agent.stop();
    for (const one of served) one.destroy();
    server.close();
    rmSync(directory, { recursive: true });
  });

  /** An agent whose PATH has these programs and nothing else. */
  async function agentWith(...programs: readonly (string | undefined)[]): Promise<void> {
    const bin = join(directory, 'bin');
    mkdirSync(bin);
    for (const path of programs) if (path !== undefined) symlinkSync(path, join(bin, helpers.find((one) => one.path === path)?.name ?? 'other'));
    agent = await AgentProcess.start({ command: [process.execPath, join(import.meta.dirname, '../../../dist/concierge-ga.cjs')], environment: { PATH: bin } });
  }

  const overSocket = async (): Promise<GuestClient> => new GuestClient(await connectUnix(agent.socket));

  const serverPort = (): number => (server.address() as AddressInfo).port;

  async function tunnel(reach = overSocket, to = `127.0.0.1:${serverPort()}`): Promise<Tunnel> {
    const signals = new EventEmitter();
    const [stdout, stderr] = [new PassThrough().resume(), new PassThrough()];
    let err = '';
    let ended: number | undefined;
    stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const running = runProgram({ words: ['tunnel', `0:${to}`], environment: {}, version: '1', stdin: new PassThrough(), stdout, stderr, signals, isWatched: false, connect: reach })
      .then((status) => (ended = status));
    await vi.waitFor(() => {
      if (ended !== undefined) throw new Error(err);
      expect(err).toContain(' leads to ');
    }, patience);
    const [, port] = /^concierge-ctl: 127\.0\.0\.1:(\d+) leads to /.exec(err) ?? [];
    const one = {
      port: Number(port),
      end: async () => {
        signals.emit('SIGINT');
        return { status: await running, err };
      },
    };
    open.push(one);
    return one;
  }

  /** The guest's end of the connection that says this first. */
  async function far(named: string): Promise<Socket> {
    let found: Socket | undefined;
    await vi.waitFor(() => {
      found = served.find((one) => String(peek(one)).startsWith(named));
      expect(found).toBeDefined();
    }, patience);
    return found as Socket;
  }

  /** What came first, left where it is. */
  function peek(socket: Socket): Buffer {
    const chunk = socket.read() as Buffer | null;
    if (chunk !== null) socket.unshift(chunk);
    return chunk ?? Buffer.alloc(0);
  }

  /** A connection through the tunnel, and the guest's end of it. */
  async function both({ port }: Tunnel): Promise<{ near: Socket; there: Socket }> {
    const name = randomBytes(8).toString('hex');
    const near = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    near.write(name);
    const there = await far(name);
    there.read(name.length);
    return { near, there };
  }

  async function nothingRuns(): Promise<void> {
    using client = await overSocket();
    await vi.waitFor(async () => expect((await client.execute('__org.concierge_exec-list')).filter(({ exited }) => !exited)).toEqual([]), patience);
  }

  describe.each(helpers)('by $name', ({ name, path }) => {
    it.skipIf(path === undefined)(`passes everything on, and the end of this side while the other goes on (needs ${name})`, async () => {
      await agentWith(path);
      const { near, there } = await both(await tunnel());
      const [up, down] = [randomBytes(3_000_000), randomBytes(2_000_000)];

      near.end(up);
      const heard = await buffer(there);
      there.end(down);

      expect(heard.equals(up)).toBe(true);
      expect((await buffer(near)).equals(down)).toBe(true);
      await nothingRuns();
    });

    it.skipIf(path === undefined || name === 'busybox')(`passes the end of the far side on while this one goes on (needs ${name})`, async () => {
      await agentWith(path);
      const { near, there } = await both(await tunnel());
      const up = randomBytes(300_000);

      there.end('that was all');
      const heard = await text(near);
      near.end(up);

      expect(heard).toBe('that was all');
      expect((await buffer(there)).equals(up)).toBe(true);
      await nothingRuns();
    });

    it.skipIf(path === undefined)(`ends with the far side, and leaves nothing (needs ${name})`, async () => {
      await agentWith(path);
      const { near, there } = await both(await tunnel());

      there.end('that was all');
      // As most do, this side closes when the other has.
      const heard = text(near);
      near.once('end', () => near.end());

      expect(await heard).toBe('that was all');
      await nothingRuns();
    });

    it.skipIf(path === undefined)(`says that nobody listens there (needs ${name})`, async () => {
      await agentWith(path);
      const { port, end } = await tunnel(overSocket, `127.0.0.1:${await freePort()}`);

      const [error] = (await once(connect(port, '127.0.0.1').resume(), 'error')) as [Error];
      open = [];

      expect(error).toMatchObject({ code: 'ECONNRESET' });
      expect((await end()).err).toContain('Connection refused');
      await nothingRuns();
    });

    it.skipIf(path === undefined || name === 'socat' || name === 'busybox')(`passes a reset on, both ways (needs ${name})`, async () => {
      await agentWith(path);
      const on = await tunnel();
      const [first, second] = [await both(on), await both(on)];
      const [near, there] = [new Promise((resolve) => void first.near.once('error', resolve)), new Promise((resolve) => void second.there.once('error', resolve))];
      first.near.resume();
      second.there.resume();

      first.there.resetAndDestroy();
      second.near.resetAndDestroy();

      expect(await Promise.all([near, there])).toMatchObject([{ code: 'ECONNRESET' }, { code: 'ECONNRESET' }]);
      await nothingRuns();
    });
  });

  it('keeps little of a flood that nobody takes, and passes all of it on then', async () => {
    agent = await AgentProcess.start();
    const { near, there } = await both(await tunnel());
    const piece = Buffer.alloc(64 * 1024, 'x');
    let sent = 0;
    const flood = (): void => {
      while (!there.destroyed && sent < 64 * 1024 * 1024) {
        sent += piece.length;
        if (!there.write(piece)) return void there.once('drain', flood);
      }
      there.end();
    };

    flood();
    let before = -1;
    for (let same = 0; same < 5; same = sent === before ? same + 1 : 0) {
      before = sent;
      await new Promise((resolve) => void setTimeout(resolve, 100));
    }
    const kept = sent;
    let heard = 0;
    near.on('data', (chunk: Buffer) => (heard += chunk.length));
    await once(near, 'end');
    near.end();

    // Buffers of two connections of the kernel, of a pipe, of both programs.
    expect(kept).toBeLessThan(32 * 1024 * 1024);
    expect(heard).toBe(64 * 1024 * 1024);
    await nothingRuns();
  });

  it('carries many at once, and ends with all of them when it is given up', async () => {
    agent = await AgentProcess.start();
    const { port, end } = await tunnel();
    const pairs: { readonly near: Socket; readonly there: Socket }[] = [];
    for (let count = 0; count < 8; count += 1) pairs.push(await both({ port, end }));

    for (const [index, { near }] of pairs.entries()) near.write(`to ${index}`);
    await vi.waitFor(() => expect(pairs.map(({ there }) => String(peek(there)))).toEqual(pairs.map((_, index) => `to ${index}`)), patience);
    const gone = pairs.map(({ there }) => new Promise((resolve) => void there.once('error', resolve).once('close', resolve).resume()));
    for (const { near } of pairs) near.on('error', () => undefined);
    open = [];

    expect(await end()).toMatchObject({ status: 0 });
    await Promise.all(gone);
    await nothingRuns();
    await expect(once(connect(port, '127.0.0.1'), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('works where requests come one by one, as from hosts of their own', async () => {
    agent = await AgentProcess.start();
    const single = async (): Promise<GuestClient> => new GuestClient({
      ask: async (request) => {
        using line = await overSocket();
        const { execute, arguments: args } = JSON.parse(request) as { execute: string; arguments: object };
        return JSON.stringify({ return: await line.executeRaw(execute, JSON.stringify(args)) }, jsonReplacer);
      },
    });
    const { near, there } = await both(await tunnel(single));
    const up = randomBytes(300_000);

    near.end(up);
    const heard = await buffer(there);
    there.end('and back');

    expect(heard.equals(up)).toBe(true);
    expect(await text(near)).toBe('and back');
    await nothingRuns();
  });

  it('says what is missing or refused: programs, commands, the policy', async () => {
    await agentWith();
    const told = (): Promise<Told> => ctlWith(overSocket, ['tunnel', '0:localhost:80']);
    const noProgram = await told();
    await agent.stop();
    agent = await AgentProcess.start({ words: ['-b', '__org.concierge_exec-start'] });
    const noCommand = await told();
    await agent.stop();
    mkdirSync(join(directory, 'policy.d'), { mode: 0o755 });
    writeFileSync(join(directory, 'policy.d', '10-no-programs.yaml'), 'tell: host\nrules:\n  - name: no-programs\n    effect: refuse\n    groups: [exec]\n    reason: this guest is sealed\n', { mode: 0o644 });
    agent = await AgentProcess.start({ words: [`--policy-directory=${join(directory, 'policy.d')}`] });
    const noLeave = await told();

    expect(noProgram).toEqual({ status: 1, out: '', err: 'concierge-ctl: the guest has no perl, python3, socat or busybox, one of which a tunnel needs there\n' });
    expect(noCommand).toMatchObject({ status: 1, err: expect.stringContaining('the agent cannot talk with programs while they run') });
    expect(noLeave).toMatchObject({ status: 1, err: expect.stringContaining('this guest is sealed') });
  });
});
