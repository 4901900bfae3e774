// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import { replaceDlls } from '../../adapters/windows/dll.ts';
import { windowsChannels } from '../../adapters/windows/module.ts';
import type { Connection, Log, Transport } from '../../kit/index.ts';
import { built, CallLog, setVariable } from './doubles.ts';
import { after, afterEach, describe, it } from './runner.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

const said: string[] = [];
const say = (line: string | (() => string)): void => void said.push(typeof line === 'string' ? line : line());
const log: Log = { error: say, warning: say, info: say, debug: say, account: say, hold: () => Promise.resolve(), release() {} };

const open: Transport[] = [];
const clients: Socket[] = [];

const messageOf = async (work: Promise<unknown>): Promise<string> => work.then(() => 'it succeeded', (error: unknown) => (error instanceof Error ? error.message : String(error)));

// A driver, and a provider of it over TCP: see native/doubles.cpp. Without one: transport.test.ts.
const doubled = ['kernel32.dll!CreateFileW', 'kernel32.dll!DeviceIoControl', 'ws2_32.dll!WSASocketW', 'ws2_32.dll!bind', 'ws2_32.dll!accept'];
replaceDlls(Object.fromEntries(doubled.map((name) => [name, built('doubles.dll')])));

/** A port of TCP that nobody has. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Listens, and sends everything back. */
async function echoing(vsockAllow?: readonly number[]): Promise<{ readonly port: number; readonly connections: Connection[]; readonly closed: Promise<void>; readonly paused: Promise<void> }> {
  const port = await freePort();
  const transport = await windowsChannels.create('vsock-listen', `4294967295:${port}`, { log, ...(vsockAllow === undefined ? {} : { vsockAllow }) });
  const connections: Connection[] = [];
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const { promise: paused, resolve: pause } = Promise.withResolvers<void>();
  await transport.open((connection) => {
    connections.push(connection);
    connection.start({
      data: (chunk) => {
        if (connection.write(chunk)) return;
        connection.pause();
        pause();
      },
      drained: () => connection.resume(),
      hostChanged() {},
      closed: resolve,
    });
  });
  open.push(transport);
  return { port, connections, closed, paused };
}

async function host(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  clients.push(socket);
  await once(socket, 'connect');
  return socket;
}

describe('vsock with its driver', () => {
  const calls = new CallLog();
  setVariable('CONCIERGE_DOUBLES_CID', '2');

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy();
    for (const transport of open.splice(0)) await transport.close();
    setVariable('CONCIERGE_DOUBLES_CID', '2');
    setVariable('CONCIERGE_DOUBLES_FAIL', undefined);
    said.length = 0;
    calls.clear();
  });

  it('listens with the family that the driver names, and talks with the host', async () => {
    const { port, closed } = await echoing();

    const socket = await host(port);
    socket.write('{"execute":"guest-ping"}\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.end();
    await closed;

    assert.equal(answer.toString(), '{"execute":"guest-ping"}\n');
    assert.deepEqual(calls.lines().filter((line) => line.startsWith('bind')), ['bind family=77 cid=4294967295']);
  });

  it('large messages go both ways, whole and in order, to a host that is slow to read', async () => {
    const { port } = await echoing();
    const bytes = Buffer.from(Array.from({ length: 4 * 1024 * 1024 }, (_, at) => (at * 31 + (at >> 12)) & 0xff));

    const socket = await host(port);
    socket.pause();
    socket.write(bytes);
    const pieces: Buffer[] = [];
    let length = 0;
    while (length < bytes.length) {
      const piece = socket.read() as Buffer | null;
      if (piece === null) await once(socket, 'readable');
      else {
        pieces.push(piece);
        length += piece.length;
      }
    }

    assert.ok(Buffer.concat(pieces).equals(bytes));
  });

  it('hosts talk side by side, and one that goes leaves the others', async () => {
    const { port } = await echoing();
    const [first, second] = [await host(port), await host(port)];

    first.destroy();
    second.write('still here');
    const [answer] = (await once(second, 'data')) as [Buffer];

    assert.equal(answer.toString(), 'still here');
  });

  it('a host that resets in the middle of a long answer is let go, though the session does not read', async () => {
    const { port, connections, closed, paused } = await echoing();

    const socket = await host(port);
    socket.pause();
    socket.write(Buffer.alloc(16 * 1024 * 1024));
    await paused;
    socket.resetAndDestroy();
    await closed;

    assert.equal(connections.length, 1);
  });

  it('another guest is refused, unless it is allowed', async () => {
    setVariable('CONCIERGE_DOUBLES_CID', '7');
    const refusing = await echoing();
    const allowing = await echoing([7]);

    const refused = await host(refusing.port);
    await once(refused.resume(), 'close');
    const allowed = await host(allowing.port);
    allowed.write('hello');
    const [answer] = (await once(allowed, 'data')) as [Buffer];

    assert.equal(refusing.connections.length, 0);
    assert.ok(said.some((line) => /CID 7 port \d+ is refused: only the host may talk to the agent/.test(line)), said.join('\n'));
    assert.equal(answer.toString(), 'hello');
  });

  it('an agent that ends closes every conversation', async () => {
    const { port } = await echoing();
    const socket = await host(port);
    socket.write('x');
    await once(socket, 'data');

    await open.splice(0)[0]?.close();

    await once(socket.resume(), 'close');
  });

  it('a driver without its Winsock provider says which service to start', async () => {
    setVariable('CONCIERGE_DOUBLES_FAIL', 'WSASocket=10047');

    assert.match(await messageOf(echoing()), /^Failed to create socket: .+ \(the viosock driver is there, and its Winsock provider is not: start the service VirtioSocketWSP\)$/);
  });
});
