import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

import { windowsChannels } from '../../adapters/windows/module.ts';
import { WindowsTransport } from '../../adapters/windows/channels/device-transport.ts';
import { AgentError, type Connection, type ConnectionSink, type Log } from '../../kit/index.ts';
import { after, afterEach, describe, it } from './runner.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

const log: Log = { error() {}, warning() {}, info() {}, debug() {}, account() {}, hold: () => Promise.resolve(), release() {} };

let number = 0;
let host: { readonly server: Server; readonly sockets: Socket[] } | undefined;

/** A named pipe stands for the port: the host's side is a server. */
async function listening(): Promise<{ readonly path: string; readonly accepted: Promise<Socket> }> {
  const path = `\\\\.\\pipe\\concierge-${process.pid}-${number++}`;
  const sockets: Socket[] = [];
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const server = createServer((socket) => {
    socket.on('error', () => {});
    sockets.push(socket);
    resolve(socket);
  });
  server.listen(path);
  await once(server, 'listening');
  host = { server, sockets };
  return { path, accepted: promise };
}

/** Keeps what a connection hears. */
class Hearing implements ConnectionSink {
  readonly pieces: Buffer[] = [];
  readonly events: string[] = [];
  #heard = Promise.withResolvers<void>();

  data(chunk: Uint8Array): void {
    this.pieces.push(Buffer.from(chunk));
    this.#tell();
  }

  drained(): void {
    this.events.push('drained');
    this.#tell();
  }

  hostChanged(): void {
    this.events.push('hostChanged');
    this.#tell();
  }

  closed(): void {
    this.events.push('closed');
    this.#tell();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }

  #tell(): void {
    this.#heard.resolve();
    this.#heard = Promise.withResolvers();
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#heard.promise;
  }
}

async function connect(): Promise<{ transport: WindowsTransport; connection: Connection; heard: Hearing; socket: Socket }> {
  const { path, accepted } = await listening();
  const transport = new WindowsTransport('virtio-serial', path);
  let connection: Connection | undefined;
  await transport.open((opened) => {
    connection = opened;
  });
  const heard = new Hearing();
  connection?.start(heard);
  return { transport, connection: connection ?? assert.fail('no connection'), heard, socket: await accepted };
}

describe('the channel of Windows', () => {
  afterEach(() => {
    for (const socket of host?.sockets ?? []) socket.destroy();
    host?.server.close();
    host = undefined;
  });

  it('what the host sends arrives, and answers go back while a read waits', async () => {
    const { transport, connection, heard, socket } = await connect();

    socket.write('{"execute":"guest-ping"}\n');
    await heard.until(() => heard.bytes.length >= 25);
    connection.write('{"return": {}}\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    await transport.close();

    assert.equal(heard.bytes.toString(), '{"execute":"guest-ping"}\n');
    assert.equal(answer.toString(), '{"return": {}}\n');
  });

  it('four MiB come back as they were sent', async () => {
    const { transport, connection, heard, socket } = await connect();
    const sent = Buffer.alloc(4 * 2 ** 20, 'abcdefghijklmnopq');
    let back = 0;
    const all = new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        back += chunk.length;
        if (back === sent.length) resolve();
      });
    });

    socket.write(sent);
    await heard.until(() => heard.bytes.length === sent.length);
    const room = connection.write(heard.bytes);
    await all;
    await heard.until(() => heard.events.includes('drained'));
    await transport.close();

    assert.ok(heard.bytes.equals(sent));
    assert.equal(room, false, 'more than the connection wants to hold was waiting');
  });

  it('a paused connection delivers nothing until it is resumed', async () => {
    const { transport, connection, heard, socket } = await connect();

    connection.pause();
    socket.write('later');
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
    const meanwhile = heard.bytes.length;
    connection.resume();
    await heard.until(() => heard.bytes.length === 5);
    await transport.close();

    assert.equal(meanwhile, 0);
  });

  it('a device that goes away is lost, and the connection closed', async () => {
    const { transport, heard, socket } = await connect();

    socket.destroy();
    const error = await transport.lost;

    assert.match(error.message, /^error reading channel '/);
    assert.deepEqual(heard.events.at(-1), 'closed');
  });

  it('closing while a read waits ends it and tells the sink once', async () => {
    const { transport, heard } = await connect();

    await transport.close();
    await transport.close();

    assert.deepEqual(heard.events, ['closed']);
  });

  it('a port that is not there says what to do', async () => {
    const transport = new WindowsTransport('virtio-serial', '\\\\.\\Global\\no.such.port');

    await assert.rejects(transport.open(() => {}), (error) => AgentError.is(error) && error.message.endsWith('--retry-path to wait for it)'));
  });

  it('a port that another program has open says so', async () => {
    const { path } = await listening();
    const first = new WindowsTransport('virtio-serial', path);
    await first.open(() => {});
    host?.server.close();

    const second = new WindowsTransport('virtio-serial', path);

    await assert.rejects(second.open(() => {}), (error) => AgentError.is(error) && error.message.startsWith(`error opening channel '${path}': `));
    await first.close();
  });

  it('a COM port is opened by its device name', () => {
    assert.equal(new WindowsTransport('isa-serial', 'COM7').description, 'isa-serial \\\\.\\COM7');
  });
});

describe('vsock without its driver', () => {
  it('says which driver is missing, and what the host has to give', async () => {
    const transport = await windowsChannels.create('vsock-listen', '4294967295:1024', { log });

    await assert.rejects(transport.open(() => {}), (error) => AgentError.is(error)
      && error.message === String.raw`vsock needs a driver: there is no \\.\Viosock (give the machine a vsock device on the host, and install viosock of virtio-win)`);
  });

  it('an address that can never be right is refused before', async () => {
    await assert.rejects(windowsChannels.create('vsock-listen', '3', { log }), /error parsing address '3' \(it is CID:PORT/);
  });
});
