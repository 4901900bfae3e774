// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';

import type { Channels, Connection, Log, Transport } from '../../core/ports/index.ts';
import { areDifferent, isText } from './expect.ts';
import { contractGroup, type ContractCase } from './group.ts';
import type { ContractSubject } from './subject.ts';

type Case = ContractCase<Channels>;

const silent: Log = { error() {}, warning() {}, info() {}, debug() {}, account() {}, hold: async () => {}, release() {} };
const verdicts: ReadonlySet<string> = new Set(['good', 'warning', 'bad', 'by-hand']);
const needsChannel = ({ knows }: ContractSubject): string | undefined => (knows.channel === undefined ? 'needs a channel that can be tried' : undefined);

/** The agent's end of a conversation, with all that came. */
class Guest {
  readonly connection: Connection;
  readonly #parts: Buffer[] = [];
  #changed = Promise.withResolvers<void>();
  isClosed = false;
  drains = 0;

  constructor(connection: Connection) {
    this.connection = connection;
    connection.start({
      data: (chunk) => this.#note(() => void this.#parts.push(Buffer.from(chunk))),
      drained: () => this.#note(() => void (this.drains += 1)),
      hostChanged: () => this.#note(() => void (this.#parts.length = 0)),
      closed: () => this.#note(() => {
        assert.ok(!this.isClosed, 'closed comes once');
        this.isClosed = true;
      }),
    });
  }

  get text(): string {
    return Buffer.concat(this.#parts).toString('latin1');
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await this.#changed.promise;
  }

  #note(change: () => void): void {
    change();
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

interface Served {
  readonly transport: Transport;
  /** A host that is connected, and the agent's end of it. */
  readonly meet: () => Promise<{ readonly host: Duplex; readonly guest: Guest }>;
}

async function withTransport(channels: Channels, { knows }: ContractSubject, use: (served: Served) => Promise<void>): Promise<void> {
  const { channel } = knows;
  assert.ok(channel !== undefined);
  const transport = await channels.create(channel.method, channel.path, { log: silent });
  const guests: Guest[] = [];
  let arrived = Promise.withResolvers<void>();
  const hosts: Duplex[] = [];
  try {
    await transport.open((connection) => {
      guests.push(new Guest(connection));
      arrived.resolve();
    });
    await use({
      transport,
      meet: async () => {
        const host = await channel.connect();
        host.on('error', () => undefined);
        hosts.push(host);
        // A serial port is there for its host from the start; of a socket the host may be there before the agent knows.
        while (guests.length === 0) await arrived.promise;
        arrived = Promise.withResolvers();
        const [guest] = guests.splice(0, 1);
        assert.ok(guest !== undefined);
        return { host, guest };
      },
    });
  } finally {
    for (const host of hosts) host.destroy();
    await transport.close();
  }
}

/** Reads so many bytes of what comes. */
async function take(host: Duplex, length: number): Promise<string> {
  let text = '';
  while (text.length < length) {
    const chunk = host.read() as Buffer | null;
    if (chunk === null) await once(host, 'readable');
    else text += chunk.toString('latin1');
  }
  return text;
}

const cases: readonly Case[] = [
  {
    name: 'every method has a name, and no two the same',
    run: async ({ methods }) => {
      assert.ok(methods.length > 0, 'there is a method');
      for (const { name, defaultPath } of methods) {
        isText(name, 'name');
        assert.match(name, /^[\w-]+$/u, 'it can be typed after --method');
        if (defaultPath !== undefined) isText(defaultPath, 'defaultPath');
      }
      areDifferent(methods.map(({ name }) => name), 'names');
    },
  },
  {
    name: 'a transport that was never opened can be closed',
    skip: needsChannel,
    run: async (channels, { knows: { channel } }) => {
      assert.ok(channel !== undefined);
      const transport = await channels.create(channel.method, channel.path, { log: silent });

      isText(transport.description, 'description');
      await transport.close();
    },
  },
  {
    name: 'bytes of every value go both ways, in order',
    skip: needsChannel,
    run: (channels, subject) => withTransport(channels, subject, async ({ meet }) => {
      const { host, guest } = await meet();
      const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

      host.write(every);
      host.write('and more');
      await guest.until(() => guest.text.length >= 264);
      guest.connection.write(every);
      guest.connection.write('\u00ffand text');

      assert.equal(guest.text, `${every.toString('latin1')}and more`);
      assert.equal(await take(host, 265), `${every.toString('latin1')}\u00ffand text`);
    }),
  },
  {
    name: 'a host that reads nothing holds the agent back, and it is told when there is room again',
    skip: needsChannel,
    run: (channels, subject) => withTransport(channels, subject, async ({ meet }) => {
      const { host, guest } = await meet();
      const piece = Buffer.alloc(1024 * 1024, 'x');
      let written = 0;

      let hasRoom = true;
      for (; hasRoom && written < 64; written += 1) hasRoom = guest.connection.write(piece);
      const [, text] = await Promise.all([guest.until(() => guest.drains > 0), take(host, written * piece.length)]);

      assert.equal(hasRoom, false, 'write answers false before 64 MiB wait');
      assert.equal(text.length, written * piece.length, 'nothing is lost');
    }),
  },
  {
    name: 'what comes while delivery is paused comes afterwards',
    skip: needsChannel,
    run: (channels, subject) => withTransport(channels, subject, async ({ meet }) => {
      const { host, guest } = await meet();
      host.write('first');
      await guest.until(() => guest.text === 'first');

      guest.connection.pause();
      await new Promise<void>((resolve) => void host.write(' second', () => resolve()));
      // While words go the other way and back there is time enough to deliver it all the same.
      for (let turn = 0; turn < 5; turn += 1) {
        guest.connection.write('.');
        // oxlint-disable-next-line no-await-in-loop -- one turn after the other
        await take(host, 1);
      }
      const meanwhile = guest.text;
      guest.connection.resume();
      await guest.until(() => guest.text !== 'first');

      assert.equal(meanwhile, 'first');
      assert.equal(guest.text, 'first second');
    }),
  },
  {
    name: 'the end drops the hosts, can come twice, and is no loss of the channel',
    skip: needsChannel,
    run: (channels, subject) => withTransport(channels, subject, async ({ transport, meet }) => {
      const { host } = await meet();
      let isLost = false;
      void transport.lost.then(() => (isLost = true));

      host.resume();
      await Promise.all([once(host, 'close'), transport.close()]);
      await transport.close();

      assert.equal(isLost, false);
    }),
  },
  {
    name: 'it can be opened again afterwards',
    skip: needsChannel,
    run: async (channels, subject) => {
      for (const words of ['first', 'second']) {
        await withTransport(channels, subject, async ({ meet }) => {
          const { host, guest } = await meet();
          host.write(words);
          await guest.until(() => guest.text === words);
        });
      }
    },
  },
  {
    name: 'what stands in the way is told in findings, also of a path where nothing is',
    run: async (channels, { scratchDirectory }) => {
      for (const { name } of channels.methods) {
        for (const { subject, verdict, detail } of (await channels.examine?.(name, `${scratchDirectory}/nothing`)) ?? []) {
          isText(subject, 'subject');
          assert.ok(verdicts.has(verdict), `${verdict} is a verdict`);
          isText(detail, 'detail');
        }
      }
    },
  },
  {
    name: 'the wait for a device that does not come ends when it is given up',
    run: async (channels, { scratchDirectory }) => {
      for (const { name } of channels.methods) await channels.appears?.(name, `${scratchDirectory}/nothing`, AbortSignal.abort());
    },
  },
];

export const channelContract = contractGroup('channels', (backend) => backend.channels, cases);
