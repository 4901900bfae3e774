// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { connectHybridVsock, connectUnix, GuestClient } from '../../../client/index.ts';
import { createFakeGuest } from '../../../kit/fake/index.ts';
import { streamConnection } from '../../../kit/index.ts';

let directory: string;
const servers: { close(): unknown }[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'concierge-client-'));
});

afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await rm(directory, { recursive: true, force: true });
});

/** A socket at which `serve` waits. */
async function listen(serve: (socket: Socket) => void): Promise<string> {
  const path = join(directory, 'socket');
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    serve(socket);
  });
  servers.push({ close: () => (server.close(), sockets.forEach((socket) => socket.destroy())) });
  await new Promise<void>((resolve) => void server.listen(path, resolve));
  return path;
}

/** Cloud Hypervisor's and Firecracker's greeting, then whatever comes. */
const hybrid = (greeted: (line: string, socket: Socket) => void) => (socket: Socket) => {
  socket.once('data', (chunk) => greeted(chunk.toString(), socket));
};

it('a Unix socket leads to an agent', async () => {
  const { machine } = await createFakeGuest();
  const guest = await createFakeGuest({ machine: { host: { name: 'by-socket' } } });
  const path = await listen((socket) => {
    const end = guest.connect();
    socket.pipe(end).pipe(socket);
  });
  using client = new GuestClient(await connectUnix(path));

  expect(await client.execute('guest-get-host-name')).toEqual({ 'host-name': 'by-socket' });
  expect(machine.host.name).toBe('fake');
});

it('a socket that is not there is told with its path', async () => {
  await expect(connectUnix(join(directory, 'nothing'))).rejects.toMatchObject({ kind: 'closed', message: expect.stringContaining(join(directory, 'nothing')) });
});

it('connecting can be given up beforehand', async () => {
  await expect(connectUnix(join(directory, 'nothing'), { signal: AbortSignal.abort() })).rejects.toMatchObject({ kind: 'aborted' });
});

it('a hybrid socket leads to the port, also when the greeting and the first bytes come together', async () => {
  let greeting = '';
  const path = await listen(hybrid((line, socket) => {
    greeting = line;
    socket.write('OK 1073741824\n');
    const connection = streamConnection(socket);
    connection.start({
      data: (chunk) => {
        const id = /"id":(\d+)\},"id":(\d+)/.exec(Buffer.from(chunk).toString('latin1'));
        socket.write(id === null ? '{"return": {}, "id": 2}\n' : Buffer.from(`\u00ff{"return": ${id[1]}, "id": ${id[2]}}\n`, 'latin1'));
      },
      drained: () => undefined,
      hostChanged: () => undefined,
      closed: () => undefined,
    });
  }));
  using client = new GuestClient(await connectHybridVsock(path, 1024));

  await client.execute('guest-ping');

  expect(greeting).toBe('CONNECT 1024\n');
});

it.each([
  ['refuses', (socket: Socket) => socket.end('no such port\n'), 'closed', 'no such port'],
  ['closes', (socket: Socket) => socket.end(), 'closed', 'nobody listens there'],
  ['babbles', (socket: Socket) => socket.write('x'.repeat(100)), 'closed', 'no such greeting is known'],
  ['says nothing', () => undefined, 'timeout', 'no answer in time'],
])('a hybrid socket that %s is an error', async (_what, does, kind, message) => {
  const path = await listen(hybrid((_line, socket) => does(socket)));

  await expect(connectHybridVsock(path, 7, { timeoutMs: 100 })).rejects.toMatchObject({ kind, message: expect.stringContaining(message) });
});

it('the wait for the greeting of a hybrid socket can be given up', async () => {
  const abort = new AbortController();
  const path = await listen(hybrid(() => abort.abort()));

  await expect(connectHybridVsock(path, 7, { signal: abort.signal })).rejects.toMatchObject({ kind: 'aborted' });
});

it('a hybrid socket that is given up in the moment in which it opens is not waited for', async () => {
  const abort = new AbortController();
  const path = await listen(() => undefined);
  // Removing its listener is the last thing that the opening does with the signal.
  const { signal } = abort;
  const remove = signal.removeEventListener.bind(signal);
  vi.spyOn(signal, 'removeEventListener').mockImplementationOnce((type, listener) => {
    remove(type, listener);
    abort.abort();
  });

  await expect(connectHybridVsock(path, 7, { timeoutMs: 60_000, signal })).rejects.toMatchObject({ kind: 'aborted' });
});

it('what came before somebody took the socket for a conversation is not lost, and can be read as a stream', async () => {
  const path = await listen((socket) => socket.end('hello'));
  const socket = await connectUnix(path);

  await expect(text(socket)).resolves.toBe('hello');
});
