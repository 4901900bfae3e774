// SPDX-License-Identifier: Apache-2.0
/**
 * Generated messages from four hosts at once to an agent on the fake, also while it freezes: each is answered once, in
 * order and well formed, whatever it is, and nothing hangs. `node test/fuzz/messages/run.ts [COUNT [SEED]]` runs five
 * millions; the test beside it runs a few.
 */
import { setImmediate } from 'node:timers/promises';
import type { FakeHostEnd } from '../../../adapters/fake/transport.ts';
import { agentOnFake } from '../../unit/agent/agent-on-fake.ts';
import { Dice } from './dice.ts';
import { Messages, type Message } from './generate.ts';

const hosts = 4;
const batch = 24;
/** A guest in memory keeps its log and its files: a new one is begun after so many. */
const ofOneGuest = 24_000;
/** Turns of the event loop without an answer before the guest is helped: a write waits for the thaw of what it writes to. */
const patience = 40;

interface Answer {
  readonly return?: unknown;
  readonly error?: { readonly class?: unknown; readonly desc?: unknown };
  readonly id?: unknown;
}

export interface Tally {
  messages: number;
  returned: number;
  refused: number;
  silent: number;
  broken: number;
  /** How often the guest had to be thawed, or its clock to go on, for an answer to come. */
  helped: number;
}

class Host {
  readonly end: FakeHostEnd;
  #seen = 0;

  constructor(end: FakeHostEnd) {
    this.end = end;
  }

  /** Lines that came since, up to the answer of the delimited sync; `undefined`: it has not come yet. */
  upTo(sync: number): string[] | undefined {
    const at = this.end.received.indexOf(`\u00ff{"return": ${sync}}`, this.#seen);
    if (at < 0) return undefined;
    const lines = this.end.received.slice(this.#seen, at);
    this.#seen = at + 1;
    return lines;
  }
}

/** @throws Error that names the seed and what was wrong */
export async function fuzzMessages(count: number, seed: number, tell: (tally: Tally) => void = () => undefined): Promise<Tally> {
  const tally: Tally = { messages: 0, returned: 0, refused: 0, silent: 0, broken: 0, helped: 0 };
  try {
    for (let world = 0; tally.messages < count; world += 1) {
      await oneGuest(Math.min(ofOneGuest, count - tally.messages), new Dice(seed + world * 7919), tally);
      tell(tally);
    }
  } catch (error) {
    throw new Error(`seed ${seed}, after ${tally.messages} messages: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  return tally;
}

async function oneGuest(count: number, dice: Dice, tally: Tally): Promise<void> {
  const { machine, agent, connect } = await agentOnFake();
  const messages = new Messages(dice);
  const ends = Array.from({ length: hosts }, () => new Host(connect()));
  const helper = new Host(connect());
  const injected: { release(): void }[] = [];
  let sync = 0;

  const help = async (): Promise<void> => {
    tally.helped += 1;
    for (const fault of injected.splice(0)) fault.release();
    helper.end.send('{"execute": "guest-fsfreeze-thaw"}\n');
    await machine.clock.advance(1000);
  };

  const settle = async (host: Host, sent: ReadonlyMap<number, Message>, broken: boolean, delimiter: number): Promise<void> => {
    for (let turns = 0; ; turns += 1) {
      const lines = host.upTo(delimiter);
      if (lines !== undefined) return check(lines, sent, broken, tally, messages);
      if (turns > 200 * patience) throw new Error(`no answer to one of ${[...sent.values()].map(({ text }) => text.trim().slice(0, 300)).join('\n')}`);
      if (turns % patience === patience - 1) await help();
      await setImmediate();
    }
  };

  const end = tally.messages + count;
  while (tally.messages < end) {
    // Some fail or are late.
    if (dice.once(6)) injected.push(machine.faults.inject({ ...dice.of(faults), times: 1 + dice.throw(3) }));
    const rounds = ends.map((host) => {
      const sent = new Map<number, Message>();
      const isBroken = dice.once(20);
      let text = '';
      for (let number = 0; number < batch && tally.messages < end; number += 1) {
        sync += 1;
        const message = messages.next(sync);
        sent.set(sync, message);
        text += message.text;
        tally.messages += 1;
      }
      if (isBroken) {
        tally.broken += 1;
        text += messages.broken();
      }
      sync += 1;
      // The sentinel ends whatever was begun, and is no request itself.
      const delimited = Buffer.from(`${isBroken ? '\u00ff' : ''}{"execute": "guest-sync-delimited", "arguments": {"id": ${sync}}}\n`, 'latin1');
      host.end.send(Buffer.concat([Buffer.from(text), delimited]), dice.once(3) ? 1 + dice.throw(700) : Infinity);
      return { host, sent, isBroken, delimiter: sync };
    });
    await Promise.all(rounds.map(({ host, sent, isBroken, delimiter }) => settle(host, sent, isBroken, delimiter)));
    if (dice.once(3)) await machine.clock.advance(dice.throw(200));
  }
  for (const fault of injected) fault.release();
  await agent.stop();
}

const faults = [
  { port: 'fileSystem.files', method: 'open', error: 'EIO' },
  { port: 'fileSystem.files', method: 'open', hang: true },
  { port: 'fileSystem.files.openFile', method: 'write', error: 'ENOSPC' },
  { port: 'fileSystem.files.openFile', method: 'read', hang: true },
  { port: 'kernel', method: 'fifreeze', error: 'EIO' },
  { port: 'kernel', method: 'fithaw', error: 'EIO' },
  { port: 'kernel', method: 'syncfs', delayMs: 300 },
  { port: 'hooks', method: 'list', error: 'EIO' },
  { port: 'processes', method: 'spawn', error: 'EAGAIN' },
] as const;

/** Each message has one answer, in order; a silent one that succeeded has none. */
function check(lines: readonly string[], sent: ReadonlyMap<number, Message>, broken: boolean, tally: Tally, messages: Messages): void {
  const waiting = [...sent];
  for (const line of lines) {
    const answer = wellFormed(line);
    // What a broken message came to stands behind those with a number.
    if (typeof answer.id !== 'number' || !sent.has(answer.id)) {
      if (broken) continue;
      throw new Error(`an answer to nobody: ${line.slice(0, 300)}`);
    }
    for (let [id, message] = waiting.shift() ?? [0, undefined]; id !== answer.id; [id, message] = waiting.shift() ?? [0, undefined]) {
      if (message === undefined) throw new Error(`an answer too many, or out of order: ${line.slice(0, 300)}`);
      if (message.schema.successResponse) throw new Error(`no answer to ${message.text.slice(0, 300)}`);
      tally.silent += 1;
    }
    if (answer.error === undefined) tally.returned += 1;
    else tally.refused += 1;
    learn(answer, messages);
  }
  for (const [, message] of waiting) {
    if (message.schema.successResponse) throw new Error(`no answer to ${message.text.slice(0, 300)}`);
    tally.silent += 1;
  }
}

function wellFormed(line: string): Answer {
  const text = line.startsWith('\u00ff') ? line.slice(1) : line;
  // eslint-disable-next-line no-control-regex -- answers are printable ASCII
  if (/[^\x20-\x7e]/.test(text)) throw new Error(`bytes that are no printable ASCII: ${JSON.stringify(line.slice(0, 300))}`);
  const answer = JSON.parse(text) as Answer;
  const { error } = answer;
  const isError = error !== undefined;
  if (isError === 'return' in answer) throw new Error(`neither a result nor an error: ${line.slice(0, 300)}`);
  if (isError && (typeof error.class !== 'string' || typeof error.desc !== 'string')) throw new Error(`a malformed error: ${line.slice(0, 300)}`);
  return answer;
}

/** Handles and process numbers, so that later messages hit some. */
function learn({ return: value }: Answer, messages: Messages): void {
  if (typeof value === 'number' && value > messages.highestHandle && value < messages.highestHandle + 10_000) messages.highestHandle = value;
  if (typeof value === 'object' && value !== null && 'pid' in value && typeof value.pid === 'number') messages.highestPid = value.pid;
}

if (import.meta.filename === process.argv[1]) {
  const count = Number(process.argv[2] ?? 5_000_000);
  const seed = Number(process.argv[3] ?? Date.now() % 2 ** 31);
  console.log(`${count} messages, seed ${seed}`);
  const began = performance.now();
  let told = 0;
  const tally = await fuzzMessages(count, seed, (now) => {
    if (now.messages - told < 250_000) return;
    told = now.messages;
    console.log(`${((performance.now() - began) / 1000).toFixed(0)} s: ${JSON.stringify(now)}, ${(process.memoryUsage.rss() / 2 ** 20).toFixed(0)} MiB`);
  });
  console.log(`done in ${((performance.now() - began) / 1000).toFixed(0)} s: ${JSON.stringify(tally)}`);
}
