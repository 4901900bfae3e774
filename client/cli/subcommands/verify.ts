// SPDX-License-Identifier: Apache-2.0
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';

import { messageOf } from '../../../core/errors/agent-error.ts';
import { connectHybridVsock, connectUnix } from '../../connect.ts';
import type { GuestClient } from '../../guest-client.ts';
import { wayNamed } from '../channel-of.ts';
import { jsonText } from '../print-json.ts';
import { table } from '../table.ts';
import type { RunSubcommand, SubcommandContext } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

interface Check {
  readonly check: string;
  readonly result: 'passed' | 'failed' | 'not here';
  readonly detail: string;
}

const reconnects = 20;
const pings = 1000;
/** Requests of the host that never reads: their answers are more than what socket, queue and agent hold. */
const unread = 2_000;
const unreadMs = 2_000;

const ms = (since: number): number => performance.now() - since;
const rounded = (figure: number): string => `${figure.toFixed(1)} ms`;

/** Conversations with the guest, one after the other: a port of virtio-serial has one at a time. */
class Conversations {
  readonly #open: () => Promise<GuestClient>;
  #current: GuestClient;

  constructor(first: GuestClient, open: () => Promise<GuestClient>) {
    this.#current = first;
    this.#open = open;
  }

  get current(): GuestClient {
    return this.#current;
  }

  async next(): Promise<GuestClient> {
    this.#current.close();
    this.#current = await this.#open();
    return this.#current;
  }

  close(): void {
    this.#current.close();
  }
}

const ping = (client: GuestClient): Promise<unknown> => client.execute('guest-ping', {}, { timeoutMs: 30_000 });

/** What can be seen of an agent from the host alone: how it takes hosts that come, go, are late or do not read. */
export const run: RunSubcommand = async (context) => {
  const { client, reconnect, flags, json, print } = context;
  const idle = flags.get('idle') ?? '60';
  if (!/^\d+$/.test(idle)) throw new UsageError(`--idle takes a number of seconds, not '${idle}'`);
  if (reconnect === undefined) throw new UsageError('this conversation cannot be begun anew');
  const talk = new Conversations(client, reconnect);
  const steps: readonly (readonly [string, () => Promise<string>])[] = [
    [`${reconnects} reconnects`, async () => {
      const figures: number[] = [];
      for (let count = 0; count < reconnects; count += 1) {
        const since = performance.now();
        await ping(await talk.next());
        figures.push(ms(since));
      }
      return `longest until an answer ${rounded(Math.max(...figures))}`;
    }],
    [`${pings} pings`, async () => {
      const figures: number[] = [];
      for (let count = 0; count < pings; count += 1) {
        const since = performance.now();
        await ping(talk.current);
        figures.push(ms(since));
      }
      figures.sort((one, other) => one - other);
      return `median ${rounded(figures[pings / 2] ?? 0)}, 99 % below ${rounded(figures[Math.floor(pings * 0.99)] ?? 0)}, longest ${rounded(figures.at(-1) ?? 0)}`;
    }],
    ['an answer that comes after its host has gone', async () => {
      const leaving = talk.current.execute('guest-get-fsinfo', {}, { timeoutMs: 30_000 }).catch(() => undefined);
      const next = await talk.next();
      await leaving;
      const since = performance.now();
      await ping(next);
      return `the next host had its own answer after ${rounded(ms(since))}`;
    }],
    ['a host that never reads', async () => {
      const open = rawChannel(context);
      if (open === undefined) return notHere('needs --socket or --vsock');
      talk.close();
      await neverRead(await open());
      const since = performance.now();
      await ping(await talk.next());
      return `the next host had an answer after ${rounded(ms(since))}`;
    }],
    [`${idle} idle seconds`, async () => {
      await pause(Number(idle) * 1000);
      const since = performance.now();
      await ping(talk.current);
      return `an answer after ${rounded(ms(since))}`;
    }],
  ];
  const checks: Check[] = [];
  try {
    for (const [check, step] of steps) checks.push(await outcomeOf(check, step));
  } finally {
    talk.close();
  }
  print(json ? `${jsonText(checks)}\n` : table([{ title: 'CHECK' }, { title: 'RESULT' }, { title: 'FIGURE' }], checks.map(({ check, result, detail }) => [check, result, detail])));
  return checks.some(({ result }) => result === 'failed') ? 1 : 0;
};

class NotHere extends Error {}

function notHere(why: string): never {
  throw new NotHere(why);
}

async function outcomeOf(check: string, step: () => Promise<string>): Promise<Check> {
  try {
    return { check, result: 'passed', detail: await step() };
  } catch (error) {
    return { check, result: error instanceof NotHere ? 'not here' : 'failed', detail: messageOf(error) };
  }
}

/** The channel without anybody who reads. */
function rawChannel({ flags, environment }: SubcommandContext): (() => Promise<Duplex>) | undefined {
  // A guest of the list is not the one that the environment names.
  if (['guest', 'all', 'guests'].some((flag) => flags.has(flag))) return undefined;
  const [way, value = ''] = wayNamed(flags, environment) ?? [];
  if (way === 'socket') return () => connectUnix(value);
  const [, vsock, port] = way === 'vsock' ? (/^(.+):(\d+)$/.exec(value) ?? []) : [];
  return vsock === undefined ? undefined : () => connectHybridVsock(vsock, Number(port));
}

async function neverRead(stream: Duplex): Promise<void> {
  stream.on('error', () => {});
  stream.pause();
  for (let count = 0; count < unread && stream.writable; count += 1) stream.write('{"execute": "guest-info"}\n');
  await pause(unreadMs);
  stream.destroy();
}
