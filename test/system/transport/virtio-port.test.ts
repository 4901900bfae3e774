// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChannelConnection } from '../../../adapters/linux/channels/channel-connection.ts';
import { createTransport } from '../../../adapters/channels/index.ts';
import { linuxChannels } from '../../../adapters/linux/channels/linux-channels.ts';
import { silentLog } from '../../unit/transport/silent-log.ts';
import { until } from '../../unit/transport/until.ts';

let scratch: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'port-'));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

/**
 * The reading side of a FIFO behaves as a virtio port does: read(2) gives 0 and poll(2) a hang-up while nobody holds the
 * other side, EAGAIN while somebody does.
 */
function fifoPort(name = 'fifo'): { path: string; fd: number } {
  const path = join(scratch, name);
  spawnSync('mkfifo', [path]);
  return { path, fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) };
}

function listen(fd: number): { connection: ChannelConnection; happened: string[] } {
  const happened: string[] = [];
  const connection = new ChannelConnection(fd, 'port', { released: () => happened.push('(released)') });
  connection.start({
    data: (chunk) => happened.push(Buffer.from(chunk).toString()),
    drained: () => happened.push('(drained)'),
    hostChanged: () => happened.push('(host changed)'),
    hostMissed: () => happened.push('(host missed)'),
    closed: () => happened.push('(closed)'),
  });
  return { connection, happened };
}

/** So many turns of the event loop. */
async function loopTurns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await nextTurn();
}

/** A host whose request is being worked on: nothing is read from the port. */
async function busyWith(request: string): Promise<ReturnType<typeof listen> & { path: string; first: number }> {
  const { path, fd } = fifoPort();
  const { connection, happened } = listen(fd);
  const first = host(path);
  writeSync(first, request);
  await until(() => happened.includes(request));
  connection.pause();
  return { path, connection, happened, first };
}

const host = (path: string): number => openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);

describe('a port', () => {
  it('tells a host that goes from one that says nothing, and hears the next', async () => {
    const { path, fd } = fifoPort();
    const { connection, happened } = listen(fd);

    const first = host(path);
    writeSync(first, 'half a req');
    await until(() => happened.includes('half a req'));
    closeSync(first);
    await until(() => happened.includes('(host changed)'));
    const second = host(path);
    writeSync(second, 'whole');
    await until(() => happened.includes('whole'));
    closeSync(second);
    await until(() => happened.length === 4);

    expect(happened).toEqual(['half a req', '(host changed)', 'whole', '(host changed)']);
    connection.destroy();
  });

  it('tells of a host that comes as soon as another has left that it may be another one, with its first word', async () => {
    const { path, fd } = fifoPort();
    const { connection, happened } = listen(fd);
    const first = host(path);
    writeSync(first, 'one');
    await until(() => happened.includes('one'));

    closeSync(first);
    await loopTurns(10);
    const second = host(path);
    writeSync(second, 'two');
    await until(() => happened.includes('two'));
    writeSync(second, 'three');
    await until(() => happened.includes('three'));

    expect(happened).toEqual(['one', '(host missed)', 'two', 'three']);
    closeSync(second);
    connection.destroy();
  });

  it('drops what is written while no host is there', async () => {
    const { path, fd } = fifoPort();
    const { connection, happened } = listen(fd);
    closeSync(host(path));
    await until(() => happened.includes('(host changed)'));

    const room = connection.write('x'.repeat(1024 * 1024));

    expect(room).toBe(true);
    connection.destroy();
  });

  it('takes the start of a request for another host, which may have come before the leaving of the first is known', async () => {
    const { path, fd } = fifoPort();
    const { connection, happened } = listen(fd);
    const first = host(path);
    const second = host(path);
    writeSync(first, '{"execute": "guest-file-op');
    await until(() => happened.length === 2);

    writeSync(second, '{"execute": "guest-ping"}');

    await until(() => happened.length === 4);
    expect(happened.slice(2)).toEqual(['(host changed)', '{"execute": "guest-ping"}']);
    closeSync(first);
    closeSync(second);
    connection.destroy();
  });

  it.each(['en", "arguments": {}}', '{"path": "/x"}}', 'QUJD{execute}'])('takes %s for more of the same request', async (more) => {
    const { path, fd } = fifoPort();
    const { connection, happened } = listen(fd);
    const only = host(path);

    writeSync(only, more);

    await until(() => happened.length > 0);
    expect(happened).toEqual([more]);
    closeSync(only);
    connection.destroy();
  });

  it('does not wake the process while no host is there', async () => {
    const { path, fd } = fifoPort();
    const { connection, happened } = listen(fd);
    closeSync(host(path));
    await until(() => happened.includes('(host changed)'));

    const before = performance.nodeTiming.uvMetricsInfo.loopCount;
    await once(spawn('sleep', ['0.3']), 'exit');
    const turns = performance.nodeTiming.uvMetricsInfo.loopCount - before;

    // A level-triggered poll makes 15 000 a second.
    expect(turns).toBeLessThan(300);
    connection.destroy();
  });

  it('keeps more than fits into one turn for the next', async () => {
    const { path, fd } = fifoPort();
    const { connection, happened } = listen(fd);
    const writer = spawn('head', ['-c', '16777216', '/dev/zero'], { stdio: ['ignore', openSync(path, constants.O_WRONLY), 'inherit'] });
    let length = 0;

    await until(() => {
      length += happened.splice(0).join('').length;
      return length >= 16_777_216;
    });

    expect(length).toBe(16_777_216);
    writer.kill();
    connection.destroy();
  });

  it('keeps what can be read when a host goes whose request is worked on: the next one may have sent it', async () => {
    const { path, connection, happened, first } = await busyWith('long request');
    writeSync(first, 'what came behind it, ');
    closeSync(first);
    await until(() => happened.includes('(host changed)'));
    const second = host(path);
    writeSync(second, 'fresh');

    connection.resume();

    await until(() => happened.join('').endsWith('fresh'));
    expect(happened.slice(0, 2)).toEqual(['long request', '(host changed)']);
    expect(happened.slice(2).join('')).toBe('what came behind it, fresh');
    closeSync(second);
    connection.destroy();
  });

  it('goes on with the descriptor of the device that was reset', async () => {
    const before = fifoPort();
    const { connection, happened } = listen(before.fd);
    const first = host(before.path);
    writeSync(first, 'half a');
    await until(() => happened.includes('half a'));

    connection.pause();
    writeSync(first, ', and more of');
    connection.detach();
    connection.write('an answer that waits');
    connection.resume();
    const after = fifoPort('fifo after the reset');
    const second = host(after.path);
    connection.attach(after.fd);
    writeSync(second, ' request');

    await until(() => happened.includes(' request'));
    expect(happened).toEqual(['half a', ', and more of', ' request']);
    closeSync(first);
    closeSync(second);
    connection.destroy();
  });

  it('that is closed while its device is reset takes no other descriptor', async () => {
    const { path, fd } = fifoPort();
    const { connection, happened } = listen(fd);
    const only = host(path);

    connection.detach();
    connection.close();
    const after = fifoPort('fifo after the reset');
    connection.attach(after.fd);

    expect(happened).toEqual(['(closed)', '(released)']);
    // Nobody holds the reading side any more.
    expect(() => host(after.path)).toThrow('ENXIO');
    closeSync(only);
  });

  it('lets the next host in that comes at once, while the request of the one before goes on', async () => {
    const { path, connection, happened, first } = await busyWith('endless request');
    closeSync(first);
    // The port has said so by then: the loop looks at it once a turn.
    await loopTurns(3);
    const second = host(path);
    writeSync(second, 'fresh');

    await until(() => happened.includes('(host changed)'));
    connection.resume();

    await until(() => happened.includes('fresh'));
    expect(happened).toEqual(['endless request', '(host changed)', 'fresh']);
    closeSync(second);
    connection.destroy();
  });

  it('takes nobody for gone who is there again before his request is answered', async () => {
    const { path, connection, happened, first } = await busyWith('request');
    closeSync(first);
    await loopTurns(3);
    const second = host(path);
    writeSync(second, 'another');
    await loopTurns(3);

    connection.resume();

    await until(() => happened.includes('another'));
    expect(happened).toEqual(['request', '(host missed)', 'another']);
    closeSync(second);
    connection.destroy();
  });
});

describe('what is no port', () => {
  it.each([
    ['a file', (path: string) => writeFileSync(path, ''), ': it is no character device'],
    ['a directory', (path: string) => mkdirSync(path), ': Is a directory'],
    ['a link to nowhere', (path: string) => symlinkSync('nowhere', path), ': No such file or directory (this machine has no such virtio-serial port'],
  ])('%s is refused in one sentence and left alone', async (_, make, message) => {
    const path = join(scratch, 'org.qemu.guest_agent.0');
    make(path);
    const transport = await createTransport(linuxChannels, { path, log: silentLog() });

    await expect(transport.open(() => {})).rejects.toThrow(`error opening channel '${path}'${message}`);
  });
});

describe('a worker', () => {
  it('that ends with open channels takes them along', async () => {
    const addon = join(import.meta.dirname, '../../../build/Release/concierge.node');
    const program = `
      const { parentPort } = require('node:worker_threads');
      const addon = { exports: {} };
      process.dlopen(addon, ${JSON.stringify(addon)});
      const { Listener, Channel, listenUnix } = addon.exports;
      globalThis.listener = new Listener(listenUnix(${JSON.stringify(join(scratch, 's'))}, 0o600, 5), (fd) => {
        globalThis.channel = new Channel(fd, false, Buffer.alloc(1000), () => parentPort.postMessage('data'));
        globalThis.channel.start();
      });
      parentPort.postMessage('listening');`;
    const worker = new Worker(program, { eval: true });
    await once(worker, 'message');
    const { client } = await import('./service.ts');
    const socket = await client(join(scratch, 's'));
    socket.write('hello');
    await once(worker, 'message');

    const closed = once(socket.resume(), 'close');
    await worker.terminate();

    await expect(closed).resolves.toBeDefined();
  });
});

it('a device that is no port is refused with a sentence', async () => {
  const transport = await createTransport(linuxChannels, { method: 'virtio-serial', path: '/dev/null', log: silentLog() });

  await expect(transport.open(() => undefined)).rejects.toThrow("error opening channel '/dev/null': it is no virtio-serial port");
});
