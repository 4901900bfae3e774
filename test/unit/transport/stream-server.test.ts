// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import { existsSync, linkSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { portableChannels } from '../../../adapters/channels/portable-channels.ts';
import type { Transport } from '../../../core/ports/index.ts';
import { silentLog } from './silent-log.ts';

let scratch: string;
let path: string;
const open: Transport[] = [];

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'stream-server-'));
  path = join(scratch, 'agent.sock');
});
afterEach(async () => {
  for (const transport of open.splice(0)) await transport.close();
  rmSync(scratch, { recursive: true });
});

async function made(log = silentLog()): Promise<Transport> {
  const transport = await portableChannels.create('unix-listen', path, { log });
  open.push(transport);
  return transport;
}

/** Answers what it is told, in brackets. */
const echo = (transport: Transport): Promise<void> =>
  transport.open((connection) => connection.start({
    data: (chunk) => connection.write(`<${Buffer.from(chunk).toString('latin1')}>`),
    drained: () => {},
    hostChanged: () => {},
    closed: () => {},
  }));

async function client(): Promise<Socket> {
  const socket = connect(path);
  await once(socket, 'connect');
  return socket;
}

async function ask(socket: Socket, words: string): Promise<string> {
  socket.write(words);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return answer.toString();
}

describe('the socket of a system without an addon', () => {
  it('is for its owner alone whatever the umask, serves several clients, and is gone afterwards', async () => {
    const before = process.umask(0);
    const transport = await made();
    await echo(transport);
    const after = process.umask(before);

    const [one, other] = [await client(), await client()];

    expect(after).toBe(0);
    expect(statSync(path).mode & 0o7777).toBe(0o600);
    expect(await ask(other, 'second')).toBe('<second>');
    expect(await ask(one, 'first')).toBe('<first>');
    await transport.close();
    expect(existsSync(path)).toBe(false);
  });

  it('replaces a socket that nobody answers on', async () => {
    const dead = createServer().listen(path);
    await once(dead, 'listening');
    // The file stays where the descriptor is closed behind the back of the server.
    const kept = join(scratch, 'kept');
    linkSync(path, kept);
    dead.close();
    await once(dead, 'close');
    renameSync(kept, path);

    await echo(await made());

    expect(await ask(await client(), 'hello')).toBe('<hello>');
  });

  it('is refused where a process answers, or where something else lies', async () => {
    await echo(await made());
    const second = await made();

    await expect(echo(second)).rejects.toThrow(`Failed to bind socket to ${path}: a process is answering there; stop it or choose another path`);

    path = join(scratch, 'precious');
    writeFileSync(path, 'data');
    await expect(echo(await made())).rejects.toThrow('there is something that is no socket; remove it or choose another path');
    path = join(scratch, 'missing', 'agent.sock');
    await expect(echo(await made())).rejects.toThrow(/^Failed to bind socket to .*: (No such file or directory|Permission denied)$/);
  });

  it('answers a client that has said everything and closed its side, and lets it go then', async () => {
    const transport = await made();
    const later = Promise.withResolvers<void>();
    await transport.open((connection) => connection.start({
      data: () => {
        // A request that takes its time, as a session has it.
        connection.pause();
        void later.promise.then(() => {
          connection.write('<answer>');
          connection.resume();
        });
      },
      drained: () => {},
      hostChanged: () => {},
      closed: () => {},
    }));
    const socket = await client();
    let heard = '';
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
    });

    socket.end('request');
    setImmediate(later.resolve);
    await once(socket, 'close');

    expect(heard).toBe('<answer>');
  });

  it('leaves the file alone at the end when another has taken its place', async () => {
    const transport = await made();
    await echo(transport);
    rmSync(path);
    const other = createServer().listen(path);
    await once(other, 'listening');

    await transport.close();

    expect(existsSync(path)).toBe(true);
    other.close();
  });
});
