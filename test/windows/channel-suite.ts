// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import { WindowsTransport } from '../../adapters/windows/channels/device-transport.ts';
import { AgentError, type Connection, type ConnectionSink } from '../../kit/index.ts';
import { afterEach, describe, it } from './runner.ts';

/** A port with a host at its other end. */
export interface PortWithHost {
  readonly path: string;
  /** What the host sends. */
  send(bytes: Buffer): void;
  /** Resolves to the next `length` bytes that the host is given. */
  receive(length: number): Promise<Buffer>;
  /** Resolves once the host can send. After the port was opened. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

/** Keeps what a connection hears. */
export class Hearing implements ConnectionSink {
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

export interface OpenPort {
  readonly transport: WindowsTransport;
  readonly connection: Connection;
  readonly heard: Hearing;
}

/** The agent's end of a port, open. */
export async function openTransport(path: string): Promise<OpenPort> {
  const transport = new WindowsTransport('virtio-serial', path);
  let connection: Connection | undefined;
  await transport.open((opened) => {
    connection = opened;
  });
  const heard = new Hearing();
  connection?.start(heard);
  return { transport, connection: connection ?? assert.fail('no connection'), heard };
}

/** What every port has to do. */
export function channelSuite(name: string, make: () => Promise<PortWithHost>): void {
  describe(name, () => {
    let port: PortWithHost | undefined;
    const connect = async (): Promise<OpenPort & { readonly host: PortWithHost }> => {
      port = await make();
      const open = await openTransport(port.path);
      await port.ready;
      return { ...open, host: port };
    };

    afterEach(async () => {
      await port?.close();
      port = undefined;
    });

    it('what the host sends arrives, and answers go back while a read waits', async () => {
      const { transport, connection, heard, host } = await connect();

      host.send(Buffer.from('{"execute":"guest-ping"}\n'));
      await heard.until(() => heard.bytes.length >= 25);
      connection.write('{"return": {}}\n');
      const answer = await host.receive(15);
      await transport.close();

      assert.equal(heard.bytes.toString(), '{"execute":"guest-ping"}\n');
      assert.equal(answer.toString(), '{"return": {}}\n');
    });

    it('four MiB come back as they were sent', async () => {
      const { transport, connection, heard, host } = await connect();
      const sent = Buffer.alloc(4 * 2 ** 20, 'abcdefghijklmnopq');

      const all = host.receive(sent.length);
      host.send(sent);
      await heard.until(() => heard.bytes.length === sent.length);
      const room = connection.write(heard.bytes);
      const back = await all;
      await heard.until(() => heard.events.includes('drained'));
      await transport.close();

      assert.ok(heard.bytes.equals(sent));
      assert.ok(back.equals(sent));
      assert.equal(room, false, 'more than the connection wants to hold was waiting');
    });

    it('a paused connection delivers nothing until it is resumed', async () => {
      const { transport, connection, heard, host } = await connect();

      connection.pause();
      host.send(Buffer.from('later'));
      await new Promise((resolve) => {
        setTimeout(resolve, 50);
      });
      const meanwhile = heard.bytes.length;
      connection.resume();
      await heard.until(() => heard.bytes.length === 5);
      await transport.close();

      assert.equal(meanwhile, 0);
    });

    it('closing while a read waits ends it and tells the sink once', async () => {
      const { transport, heard } = await connect();

      await transport.close();
      await transport.close();

      assert.deepEqual(heard.events, ['closed']);
    });

    it('a port that another program has open says so', async () => {
      const { transport, host } = await connect();
      const second = new WindowsTransport('virtio-serial', host.path);

      await assert.rejects(second.open(() => {}), (error) => AgentError.is(error) && error.message.startsWith(`error opening channel '${host.path}': `));
      await transport.close();
    });
  });
}
