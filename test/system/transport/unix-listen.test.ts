// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTransport } from '../../../adapters/channels/index.ts';
import { channelAddon } from '../../../adapters/linux/channels/channel-binding.ts';
import { linuxChannels } from '../../../adapters/linux/channels/linux-channels.ts';
import { SocketTransport } from '../../../adapters/linux/channels/socket-transport.ts';
import { unixListen } from '../../../adapters/linux/channels/unix-listen.ts';
import type { Transport } from '../../../core/ports/index.ts';
import { silentLog } from '../../unit/transport/silent-log.ts';
import { until } from '../../unit/transport/until.ts';
import { ask, client, receiveLine, serve } from './service.ts';

let scratch: string;
let path: string;
const open: Transport[] = [];
const children: ChildProcess[] = [];

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'unix-listen-'));
  path = join(scratch, 'agent.sock');
});
afterEach(async () => {
  for (const transport of open.splice(0)) await transport.close();
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(scratch, { recursive: true });
});

async function unixTransport(at = path): Promise<Transport> {
  const transport = await createTransport(linuxChannels, { method: 'unix-listen', path: at, log: silentLog() });
  open.push(transport);
  return transport;
}

/** Leaves a socket file behind on which nobody listens. */
async function leaveStaleSocket(): Promise<void> {
  const program = `import socket\ns = socket.socket(socket.AF_UNIX)\ns.bind(${JSON.stringify(path)})\ns.listen()\n`;
  await once(spawn('python3', ['-c', program]), 'exit');
}

describe('the socket file', () => {
  it('is for its owner alone, whatever the umask, and is gone afterwards', async () => {
    const transport = await unixTransport();
    const umask = process.umask(0);

    await serve(transport);

    process.umask(umask);
    expect(statSync(path).mode & 0o7777).toBe(0o600);
    await transport.close();
    expect(existsSync(path)).toBe(false);
  });

  it('replaces a socket that nobody answers on', async () => {
    await leaveStaleSocket();
    const transport = await unixTransport();

    await serve(transport);

    const socket = await client(path);
    expect(await ask(socket, 'hello')).toBe('<hello>');
    socket.destroy();
  });

  it('is refused where a process answers, which is named and not disturbed', async () => {
    const transport = await unixTransport();
    await serve(transport);
    const second = await unixTransport();

    const opening = second.open(() => {});

    await expect(opening).rejects.toThrow(
      new RegExp(`^Failed to bind socket to ${path}: process ${process.pid} \\([^-].+\\) is answering there; stop it or choose another path$`),
    );
    await second.close();
    const socket = await client(path);
    expect(await ask(socket, 'still here')).toBe('<still here>');
    socket.destroy();
  });

  it('is refused where a process answers whose queue is full', async () => {
    const program = `import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.bind(${JSON.stringify(path)})\ns.listen(0)\nc = socket.socket(socket.AF_UNIX)\nc.connect(${JSON.stringify(path)})\nprint('full', flush=True)\nsys.stdin.read()\n`;
    const child = spawn('python3', ['-c', program]);
    children.push(child);
    await once(child.stdout, 'data');
    const transport = await unixTransport();

    const opening = transport.open(() => {});

    await expect(opening).rejects.toThrow('is answering there');
  });

  it.each([
    ['a file', () => writeFileSync(path, 'precious'), 'there is a file that is no socket; remove it or choose another path'],
    ['a symbolic link', () => symlinkSync('elsewhere', path), 'there is a file that is no socket; remove it or choose another path'],
    ['a directory', () => mkdirSync(path), 'Is a directory'],
  ])('leaves %s alone that lies at its path', async (_, make, message) => {
    make();
    const before = lstatSync(path);
    const transport = await unixTransport();

    const opening = transport.open(() => {});

    await expect(opening).rejects.toThrow(message);
    await transport.close();
    expect(lstatSync(path).ino).toBe(before.ino);
  });

  it('is not removed at the end when another has taken its place', async () => {
    const transport = await unixTransport();
    await serve(transport);
    rmSync(path);
    const other = createServer().listen(path);
    await once(other, 'listening');

    await transport.close();

    expect(existsSync(path)).toBe(true);
    other.close();
  });

  it('says why where its directory is missing', async () => {
    const transport = await unixTransport(join(scratch, 'missing', 'agent.sock'));

    await expect(transport.open(() => {})).rejects.toThrow(
      `Failed to bind socket to ${scratch}/missing/agent.sock: No such file or directory`,
    );
  });

  it('can have a path as long as the address holds, and none that is longer', async () => {
    const longest = join(scratch, 'x'.repeat(108 - scratch.length - 1));
    const transport = await unixTransport(longest);
    await serve(transport);
    expect(statSync(longest).isSocket()).toBe(true);

    const tooLong = await unixTransport(`${longest}x`);

    await expect(tooLong.open(() => {})).rejects.toThrow(`UNIX socket path '${longest}x' is too long`);
  });
});

describe('the name of the socket', () => {
  /** Connects to a path without a pause until its input ends, and then tells how often it was answered what. */
  const connecting = `
import collections, socket, sys, threading
counts = collections.Counter()
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
print('ready', flush=True)
while not ended.is_set():
    with socket.socket(socket.AF_UNIX) as one:
        one.setblocking(False)
        try: one.connect(sys.argv[1]); counts['connected'] += 1
        except FileNotFoundError: counts['absent'] += 1
        except BlockingIOError: counts['connected'] += 1 # A full queue.
        except OSError as error: counts[error.strerror] += 1
print(' '.join(counts), counts['connected'])
`;

  it('appears when the socket listens, so that nobody who finds it is refused', async () => {
    const child = spawn('python3', ['-c', connecting, path]);
    children.push(child);
    let said = '';
    child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()));
    await until(() => said.includes('ready'));

    // Listeners stay open until the end: a client may have found the one before the last.
    const listeners: number[] = [];
    for (let opened = 0; opened < 1500; opened += 1) {
      listeners.push(channelAddon().listenUnix(path, 0o600, 128));
      unlinkSync(path);
      if (opened % 50 === 0) await turn();
    }
    child.stdin.end();
    await once(child.stdout, 'end');
    for (const fd of listeners) closeSync(fd);

    expect(said.split('\n')[1]?.split(' ').filter((word) => !/^\d+$/.test(word)).toSorted()).toEqual(['absent', 'connected']);
  });

  it.each([
    ['beside it', 20],
    ['below /proc, for a path with no room behind it', 108],
  ])('leaves nothing of the one before, which was %s', async (_where, length) => {
    const place = join(scratch, 'x'.repeat(Math.max(8, length - scratch.length - 1)));
    const fd = channelAddon().listenUnix(place, 0o600, 5);

    const taken = (): number => channelAddon().listenUnix(place, 0o600, 5);

    expect(taken).toThrow('Address already in use');
    expect(readdirSync(scratch)).toEqual([basename(place)]);
    expect(channelAddon().probeUnix(place)).toBe(process.pid);
    closeSync(fd);
  });
});

describe('clients', () => {
  it('are served independently: a hundred at once, of which the limit is connected and the others wait', async () => {
    const transport = new SocketTransport(unixListen(path), { log: silentLog(), maximumClients: 64 });
    open.push(transport);
    const served = await serve(transport);

    const sockets = await Promise.all(Array.from({ length: 100 }, () => client(path)));
    const answers = sockets.map(async (socket, number) => ask(socket, `client ${number}`));
    await Promise.all(answers.slice(0, 64));
    const connected = served.length;
    for (const socket of sockets.slice(0, 64)) socket.destroy();

    expect(connected).toBe(64);
    expect(await Promise.all(answers)).toEqual(Array.from({ length: 100 }, (_, number) => `<client ${number}>`));
    for (const socket of sockets) socket.destroy();
  });

  it('never see the half message of one that vanished', async () => {
    const served = await serve(await unixTransport());
    const rude = await client(path);
    rude.write('{"execute": "guest-');
    await until(() => served.length === 1);
    rude.destroy();

    const polite = await client(path);

    expect(await ask(polite, 'ping')).toBe('<ping>');
    await until(() => served[0]!.happened.includes('(closed)'));
    polite.destroy();
  });

  it('that stop reading cost bounded memory and delay nobody else', async () => {
    const transport = await unixTransport();
    const answer = Buffer.alloc(64 * 1024, 'x');
    let taken = 0;
    await transport.open((connection) => {
      connection.start({
        data(chunk) {
          if (Buffer.from(chunk).includes('flood')) while (connection.write(answer)) taken += answer.length;
          else connection.write('quick\n');
        },
        drained: () => {},
        hostChanged: () => {},
        closed: () => {},
      });
    });
    const slow = await client(path);
    slow.pause();
    slow.write('flood');
    const quick = await client(path);

    expect(await ask(quick, 'ping')).toBe('quick');
    expect(taken).toBeLessThan(2 * 1024 * 1024);
    slow.destroy();
    quick.destroy();
  });

  it('get everything in order when they read again, and the writer is told of the room', async () => {
    const served = await serve(await unixTransport(), () => `${'y'.repeat(3 * 1024 * 1024)}\n`);
    const slow = await client(path);
    slow.write('one\n');
    await until(() => served[0]?.happened.includes('one') === true);

    const line = await receiveLine(slow);

    expect(line).toBe('y'.repeat(3 * 1024 * 1024));
    await until(() => served[0]!.happened.includes('(drained)'));
    slow.destroy();
  });

  it('that shut their sending side still get the rest of their answers, and then the end', async () => {
    await serve(await unixTransport(), () => `${'z'.repeat(2 * 1024 * 1024)}\n`);
    const socket = await client(path);
    let length = 0;
    socket.on('data', (chunk: Buffer) => {
      length += chunk.length;
    });

    socket.end('all of it\n');
    await once(socket, 'end');

    expect(length).toBe(2 * 1024 * 1024 + 1);
  });

  it('that go in the middle of an answer are told to the session once', async () => {
    const served = await serve(await unixTransport(), () => `${'z'.repeat(2 * 1024 * 1024)}\n`);
    const socket = await client(path);
    socket.write('much\n');
    await once(socket, 'readable');

    socket.destroy();

    await until(() => served[0]!.happened.includes('(closed)'));
    expect(served[0]!.happened.filter((event) => event === '(closed)')).toHaveLength(1);
    expect(served[0]!.connection.write('into the void')).toBe(true);
  });

  it('are not read from while the session pauses, and nothing of what they sent is lost', async () => {
    const transport = await unixTransport();
    const chunks: string[] = [];
    const transports: { resume(): void }[] = [];
    await transport.open((connection) => {
      transports.push(connection);
      connection.start({
        data(chunk) {
          chunks.push(Buffer.from(chunk).toString());
          connection.pause();
        },
        drained: () => {},
        hostChanged: () => {},
        closed: () => {},
      });
    });
    const socket = await client(path);
    socket.write('first');
    await until(() => chunks.length === 1);
    socket.write('second');
    await turn();
    await turn();
    const whilePaused = [...chunks];

    transports[0]!.resume();

    await until(() => chunks.length === 2);
    expect(whilePaused).toEqual(['first']);
    expect(chunks).toEqual(['first', 'second']);
    socket.destroy();
  });

  it('that leave while their request is worked on make room, and what they had sent behind it still comes', async () => {
    const transport = await unixTransport();
    const served = await serve(transport);
    const socket = await client(path);
    socket.write('first\n');
    await until(() => served[0]?.happened.includes('first') === true);
    const { connection, happened } = served[0]!;
    connection.pause();
    socket.write('second\n');

    socket.end();
    socket.destroy();

    await until(() => happened.includes('(closed)'));
    expect(happened).toEqual(['first', 'second', '(closed)']);
  });

  it('are dropped when the transport closes', async () => {
    const transport = await unixTransport();
    const served = await serve(transport);
    const socket = await client(path);
    await ask(socket, 'hello');

    const closed = once(socket.resume(), 'close');
    await transport.close();

    await closed;
    expect(served[0]!.happened).toEqual(['hello', '(closed)']);
  });
});
