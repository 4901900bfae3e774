// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { FakeTransport, type FakeHostEnd } from '../../../kit/fake/index.ts';
import type { Connection, ConnectionSink } from '../../../kit/index.ts';
import { settled } from '../../../adapters/fake/clock.ts';

interface Agent {
  readonly host: FakeHostEnd;
  readonly connection: Connection;
  readonly events: string[];
}

/** An agent's end that writes down what happens to it. */
async function connected(highWater = 100): Promise<Agent> {
  const transport = new FakeTransport({ highWater });
  const events: string[] = [];
  const sink: ConnectionSink = {
    data: (chunk) => events.push(`data ${Buffer.from(chunk).toString()}`),
    drained: () => events.push('drained'),
    hostChanged: () => events.push('hostChanged'),
    closed: () => events.push('closed'),
  };
  const connections: Connection[] = [];
  await transport.open((connection) => connections.push(connection));
  const host = transport.connect();
  const [connection] = connections;
  if (connection === undefined) throw new Error('nobody came');
  connection.start(sink);
  return { host, connection, events };
}

describe('the transport in memory', () => {
  it('brings what the host sends, in pieces where it is told so', async () => {
    const { host, events } = await connected();

    host.send('hello');
    host.send('abcde', 2);
    await settled();

    expect(events).toEqual(['data hello', 'data ab', 'data cd', 'data e']);
  });

  it('gives the host whole lines, those that come later too', async () => {
    const { host, connection } = await connected();
    const first = host.nextLine();

    connection.write('{"return":');
    connection.write(Buffer.from('1}\n\xff{"return":2}\nrest', 'latin1'));

    expect(await first).toBe('{"return":1}');
    expect(await host.nextLine()).toBe('\xff{"return":2}');
    expect(Buffer.from(host.partial).toString()).toBe('rest');
  });

  it('says when a host that does not read has enough, and when there is room again', async () => {
    const { host, connection, events } = await connected(10);
    host.stall();

    const answers = [connection.write('12345'), connection.write('67890'), connection.write('!')];
    const waiting = host.unreadBytes;
    host.resume();
    await settled();

    expect(answers).toEqual([true, true, false]);
    expect(waiting).toBe(11);
    expect(events).toEqual(['drained']);
  });

  it('keeps what the host sends while the agent pauses', async () => {
    const { host, connection, events } = await connected();
    connection.pause();
    host.send('later');
    await settled();
    const during = [...events];

    connection.resume();
    await settled();

    expect(during).toEqual([]);
    expect(events).toEqual(['data later']);
  });

  it('drops what is unread and unsent when another host takes over', async () => {
    const { host, connection, events } = await connected();
    host.stall();
    connection.write('for the old host\n');

    host.changeHost();
    host.resume();
    connection.write('for the new one\n');

    expect(host.received).toEqual(['for the new one']);
    expect(events).toEqual(['hostChanged']);
  });

  it('tells the agent once that the host is gone, and swallows what it still writes', async () => {
    const { host, connection, events } = await connected();
    host.send('last');

    host.close();
    host.close();
    await settled();

    expect(events).toEqual(['data last', 'closed']);
    expect(connection.write('into the void')).toBe(true);
    await expect(host.nextLine()).rejects.toThrow(/was closed/u);
  });

  it('drops its hosts when it is lost, and tells why', async () => {
    const transport = new FakeTransport();
    await transport.open(() => {});
    const host = transport.connect();

    transport.lose(new Error('unplugged'));

    expect((await transport.lost).message).toBe('unplugged');
    expect(host.isClosed).toBe(true);
    expect(() => transport.connect()).toThrow(/not open/u);
  });
});
