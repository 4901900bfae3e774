// SPDX-License-Identifier: Apache-2.0
/** The host's client against a peer that does everything wrong that a peer can do, by a seeded dice. */
import * as fc from 'fast-check';
import { duplexPair, type Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';

import { ClientError, GuestClient } from '../../client/index.ts';
import { hostileStream, seed } from '../unit/protocol/hostile.ts';

const RUNS = 1500;
const MAX_REPLY = 16_384;

/** What the peer does to one request. */
const behaviour = fc.oneof(
  { weight: 6, arbitrary: fc.record({ does: fc.constant('answers' as const), pieces: fc.integer({ min: 1, max: 9 }) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('answers twice' as const) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('lets another answer first' as const) }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('babbles' as const), what: hostileStream, thenAnswers: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('refuses' as const), withId: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('answers in another shape' as const) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('stops in the middle' as const), after: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('says nothing' as const) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('never ends' as const), with: fc.constantFrom('x', '"', '\u00ff', ' ', '[', 'QUJD') }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('hangs up' as const), after: fc.nat(30) }) },
);
type Behaviour = typeof behaviour extends fc.Arbitrary<infer B> ? B : never;

const call = fc.record({
  /** Turns of the event loop after which it is given up; absent: never. */
  givenUpAfter: fc.option(fc.nat(6), { freq: 4, nil: undefined }),
  /** Turns of the event loop before the next call. */
  pause: fc.nat(2),
});

/** An agent that behaves well again when its behaviours are used up. */
class Peer {
  readonly host: Duplex;
  readonly #end: Duplex;
  readonly #behaviours: Behaviour[];
  #text = '';

  constructor(behaviours: readonly Behaviour[]) {
    [this.host, this.#end] = duplexPair();
    this.#behaviours = [...behaviours];
    this.#end.on('error', () => undefined);
    this.#end.on('data', (chunk: Buffer) => this.#take(chunk.toString('latin1')));
  }

  get isWell(): boolean {
    return this.#behaviours.length === 0;
  }

  #take(text: string): void {
    // A sentinel voids what came before it.
    this.#text = (this.#text + text).replace(/^[^]*\u00ff/u, '\u00ff');
    const lines = this.#text.split('\n');
    this.#text = lines.pop() ?? '';
    for (const line of lines) this.#answer(line);
  }

  #answer(line: string): void {
    const request = JSON.parse(line.replace('\u00ff', '')) as { readonly execute: string; readonly arguments: { readonly id?: number; readonly path?: string }; readonly id: number };
    const value = request.execute === 'guest-exec' ? `{"pid": ${request.arguments.path}}` : String(request.arguments.id);
    const reply = `${request.execute === 'guest-sync-delimited' ? '\u00ff' : ''}{"return": ${value}, "id": ${request.id}}\n`;
    this.#behave(this.#behaviours.shift() ?? { does: 'answers', pieces: 1 }, reply, request.id);
  }

  #behave(how: Behaviour, reply: string, id: number): void {
    switch (how.does) {
      case 'answers':
        for (let at = 0, step = Math.ceil(reply.length / how.pieces); at < reply.length; at += step) this.#say(reply.slice(at, at + step));
        return;
      case 'answers twice':
        this.#say(reply + reply);
        return;
      case 'lets another answer first':
        this.#say(`{"return": {"pid": 666}, "id": ${id + 1000}}\n{"return": {"pid": 667}, "id": "mine"}\n${reply}`);
        return;
      case 'babbles':
        this.#say(how.what.toString('latin1'));
        if (how.thenAnswers) this.#say(`\n${reply}`);
        return;
      case 'refuses':
        this.#say(`{"error": {"class": "GenericError", "desc": "no"}${how.withId ? `, "id": ${id}` : ''}}\n`);
        return;
      case 'answers in another shape':
        this.#say(`{"return": {"pid": "none"}, "id": ${id}}\n`);
        return;
      case 'stops in the middle':
        this.#say(reply.slice(0, Math.min(how.after, reply.length - 1)));
        return;
      case 'says nothing':
        return;
      case 'never ends':
        this.#say(`{"return": "${how.with.repeat(MAX_REPLY)}`);
        return;
      case 'hangs up':
        this.#say(reply.slice(0, Math.min(how.after, reply.length - 1)));
        this.#end.end();
        return;
      default:
        how satisfies never;
    }
  }

  #say(text: string): void {
    if (this.#end.writable) this.#end.write(Buffer.from(text, 'latin1'));
  }
}

const kinds: ReadonlySet<string> = new Set(['refused', 'timeout', 'aborted', 'closed', 'garbage', 'too-large']);

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await setImmediate();
}

/** Its own answer, or an error of the client. @throws Error for anything else */
async function outcomeOf(client: GuestClient, number: number, signal: AbortSignal | undefined): Promise<string> {
  try {
    const { pid } = await client.execute('guest-exec', { path: String(number) }, signal === undefined ? {} : { signal });
    if (pid !== BigInt(number)) throw new Error(`call ${number} was given the answer of ${pid}`);
    return 'answered';
  } catch (error) {
    if (!ClientError.is(error) || !kinds.has(error.kind)) throw error;
    if (error.kind === 'aborted' && signal?.aborted !== true) throw new Error('nobody gave it up', { cause: error });
    return error.kind;
  }
}

it(`every call ends with its own answer or a typed error, and the next goes on (CONCIERGE_SEED=${seed})`, async () => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(behaviour, { maxLength: 8 }), fc.array(call, { minLength: 1, maxLength: 6 }), async (behaviours, calls) => {
      const peer = new Peer(behaviours);
      using client = new GuestClient(peer.host, { timeoutMs: 10, maxReplyBytes: MAX_REPLY });
      const outcomes: Promise<string>[] = [];
      for (const [index, { givenUpAfter, pause }] of calls.entries()) {
        const abort = new AbortController();
        outcomes.push(outcomeOf(client, index + 1, givenUpAfter === undefined ? undefined : abort.signal));
        if (givenUpAfter !== undefined) void turns(givenUpAfter).then(() => abort.abort());
        await turns(pause);
      }
      for (const outcome of await Promise.all(outcomes)) seen.add(outcome);

      // As often as it may still be led astray: an answer takes two requests at most.
      for (let left = 20; client.isOpen && !peer.isWell && left > 0; left -= 1) await outcomeOf(client, 900 + left, undefined);
      if (client.isOpen) {
        const { pid } = await client.execute('guest-exec', { path: '1000' }, { timeoutMs: 5000 });
        if (pid !== 1000n) throw new Error(`it was given the answer of ${pid}`);
      } else {
        const late = await outcomeOf(client, 1, undefined);
        if (late !== 'closed' && late !== 'too-large') throw new Error(`a call after the end: ${late}`);
      }
    }),
    { seed, numRuns: RUNS },
  );

  expect([...seen].toSorted()).toEqual(['answered', ...kinds].toSorted());
});
