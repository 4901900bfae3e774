// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';

import { windowsChannels } from '../../adapters/windows/module.ts';
import { WindowsTransport } from '../../adapters/windows/channels/device-transport.ts';
import { AgentError, type Log } from '../../kit/index.ts';
import { channelSuite, openTransport, type PortWithHost } from './channel-suite.ts';
import { after, describe, it } from './runner.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

const log: Log = { error() {}, warning() {}, info() {}, debug() {}, account() {}, hold: () => Promise.resolve(), release() {} };

let number = 0;

/** A named pipe stands for the port: the host's side is a server. */
async function pipe(): Promise<PortWithHost & { readonly accepted: Promise<Socket> }> {
  const path = `\\\\.\\pipe\\concierge-${process.pid}-${number++}`;
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  const accepted = once(server, 'connection').then(([socket]) => {
    // No second program: a pipe has as many instances as its server makes.
    server.close();
    (socket as Socket).on('error', () => {});
    return socket as Socket;
  });
  let there: Socket | undefined;
  void accepted.then((socket) => {
    there = socket;
  });
  return {
    path,
    accepted,
    ready: accepted.then(() => {}),
    send: (bytes) => void there?.write(bytes),
    async receive(length) {
      const socket = await accepted;
      const pieces: Buffer[] = [];
      for (let got = 0; got < length;) {
        const piece = socket.read() as Buffer | null;
        if (piece === null) await once(socket, 'readable');
        else {
          pieces.push(piece);
          got += piece.length;
        }
      }
      return Buffer.concat(pieces);
    },
    close: async () => {
      (await Promise.race([accepted, Promise.resolve(undefined)]))?.destroy();
      server.close();
    },
  };
}

channelSuite('the channel of Windows over a pipe', pipe);

describe('the channel of Windows', () => {
  it('a device that goes away is lost, and the connection closed', async () => {
    const { path, accepted } = await pipe();
    const { transport, heard } = await openTransport(path);

    (await accepted).destroy();
    const error = await transport.lost;

    assert.match(error.message, /^error reading channel '/);
    assert.deepEqual(heard.events.at(-1), 'closed');
  });

  it('a port that is not there says what to do', async () => {
    const transport = new WindowsTransport('virtio-serial', '\\\\.\\Global\\no.such.port');

    await assert.rejects(transport.open(() => {}), (error) => AgentError.is(error) && error.message.endsWith('--retry-path to wait for it)'));
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
