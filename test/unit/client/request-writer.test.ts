// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duplexPair, type Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { RequestParts } from '../../../client/encode-arguments.ts';
import { RequestWriter } from '../../../client/request-writer.ts';

const MiB = 1024 * 1024;
const AHEAD = 1.5 * MiB;
const bytesOf = (size: number, seed: number): Buffer => Buffer.alloc(size, Buffer.from(Array.from({ length: 8191 }, (_, index) => (index * seed) >> 4)));

/** Everything that came out of the other side, as text. */
class Received {
  #text = '';
  #changed: (() => void) | undefined;

  constructor(stream: Duplex) {
    stream.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1');
      this.#changed?.();
    });
  }

  async line(): Promise<string> {
    while (!this.#text.includes('\n')) await new Promise<void>((resolve) => (this.#changed = resolve));
    const end = this.#text.indexOf('\n') + 1;
    const line = this.#text.slice(0, end);
    this.#text = this.#text.slice(end);
    return line;
  }
}

const send = async (writer: RequestWriter, parts: RequestParts): Promise<void> => {
  for (const taken of writer.write(parts)) await taken;
};
const request = (bytes: Uint8Array): RequestParts => ['{"', bytes, '"}\n'];
const sent = (bytes: Buffer): string => `{"${bytes.toString('base64')}"}\n`;

let directory: string;
let closeAll: () => void;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'request-writer-'));
});
afterEach(() => {
  closeAll();
  rmSync(directory, { recursive: true });
});

async function socketPair(): Promise<[Socket, Socket]> {
  const path = join(directory, 'socket');
  const server = createServer();
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const host = connect(path);
  const agent = await accepted;
  closeAll = () => {
    host.destroy();
    agent.destroy();
    server.close();
  };
  return [host, agent];
}

function streamPair(): Promise<[Duplex, Duplex]> {
  const [host, agent] = duplexPair();
  closeAll = () => {
    host.destroy();
    agent.destroy();
  };
  return Promise.resolve([host, agent]);
}

describe.each([['a socket', socketPair], ['any stream', streamPair]])('bytes that are made ready beforehand, on %s,', (_name, pair) => {
  it.each([0, 1, 49_152, AHEAD - 1, AHEAD, AHEAD + 1, 4 * MiB])('are sent as if they had not been (%i of them)', async (size) => {
    const [host, agent] = await pair();
    const [writer, received] = [new RequestWriter(host), new Received(agent)];
    const [first, second] = [bytesOf(size, 7919), bytesOf(size, 104_729)];

    writer.prepare(first);
    await send(writer, request(first));
    writer.prepare(second);
    await send(writer, request(second));

    expect(await received.line() === sent(first)).toBe(true);
    expect(await received.line() === sent(second)).toBe(true);
  });

  it('are sent for none but their own request', async () => {
    const [host, agent] = await pair();
    const [writer, received] = [new RequestWriter(host), new Received(agent)];
    const [ready, other] = [bytesOf(100_000, 7919), bytesOf(100_000, 104_729)];

    writer.prepare(ready);
    await send(writer, request(other));
    await send(writer, request(ready));
    await send(writer, request(ready));

    expect(await received.line() === sent(other)).toBe(true);
    expect(await received.line() === sent(ready)).toBe(true);
    expect(await received.line() === sent(ready)).toBe(true);
  });

  it('are not overwritten by the next while they are on their way', async () => {
    const [host, agent] = await pair();
    const writer = new RequestWriter(host);
    const [first, second] = [bytesOf(AHEAD, 7919), bytesOf(AHEAD, 104_729)];

    writer.prepare(first);
    const sending = send(writer, request(first));
    writer.prepare(second);
    const received = new Received(agent);
    await sending;
    await send(writer, request(second));

    expect(await received.line() === sent(first)).toBe(true);
    expect(await received.line() === sent(second)).toBe(true);
  });
});
