// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { randomInt } from 'node:crypto';
import type { Duplex } from 'node:stream';

import { jsonString } from '../core/protocol/json-text.ts';
import { SENTINEL } from '../core/protocol/response.ts';
import type { JsonValue } from '../core/protocol/value.ts';
import type { CallLimit } from './call-limit.ts';
import type { Channel } from './channel.ts';
import { ClientError } from './client-error.ts';
import { readDirectly } from './connect.ts';
import type { RequestParts } from './encode-arguments.ts';
import type { HeldCall } from './held-call.ts';
import { ReplyReader } from './reply-reader.ts';
import { returnedBy, type Reply } from './reply.ts';
import { RequestWriter } from './request-writer.ts';

interface Waiting {
  /** The answer for which is waited; absent while a request is on its way out. */
  readonly reply?: (reply: Reply) => void;
  readonly failed: (error: ClientError) => void;
}

/** Bytes that go out in one write, with the request that brings them. */
const MOST_AT_ONCE = 32 * 1024;

/**
 * An answer that comes so much later than the agent may hold it back may be lost, as where the agent was killed and another goes on: a ping is
 * sent, whose answer tells.
 */
const OVERDUE_MS = 500;

/** A request that was sent before its call had its turn. */
interface Ahead {
  readonly id: bigint;
  /** Whose it is. */
  readonly held: HeldCall;
  /** Where the answer came while somebody else's was waited for. */
  reply?: Reply;
}

/**
 * A stream of bytes to an agent. The first call, and the first after anything unexpected (a time-out, garbage, an answer that
 * nobody asked for), resynchronises, so that an answer is never taken for another's. Every request carries an `id`; where the
 * agent repeats it, answers to somebody else are passed over.
 */
export class StreamChannel implements Channel {
  readonly #stream: Duplex;
  readonly #reader: ReplyReader;
  readonly #writer: RequestWriter;
  #waiting: Waiting | undefined;
  /** A call has its turn: what comes now may be for it. */
  #inTurn = false;
  #inSync = false;
  #repeatsIds = false;
  #lastId = 0n;
  #ended: ClientError | undefined;
  #ahead: Ahead | undefined;

  constructor(stream: Duplex, maxReplyBytes: number, base64Members: ReadonlySet<string>) {
    this.#stream = stream;
    this.#reader = new ReplyReader(maxReplyBytes, base64Members);
    this.#writer = new RequestWriter(stream);
    const data = (chunk: Buffer): void => this.#data(chunk);
    stream.on('data', data);
    readDirectly(stream, data);
    stream.on('error', (error: Error) => this.#end(new ClientError('closed', `the channel broke: ${error.message}`, { cause: error })));
    stream.on('end', () => this.#end(new ClientError('closed', 'the agent closed the channel')));
    stream.on('close', () => this.#end(new ClientError('closed', 'the agent closed the channel')));
    // Nothing tells of an end that was before.
    if (stream.destroyed) this.#end(new ClientError('closed', 'the channel was closed already'));
    // A stream that was paused while somebody greeted the other side does not flow by a listener alone.
    stream.resume();
  }

  readonly isOwnConnection = true;

  get ended(): ClientError | undefined {
    return this.#ended;
  }

  async begin(limit: CallLimit, afresh: boolean): Promise<void> {
    this.#inTurn = true;
    if (afresh || !this.#inSync) await this.#synchronize(limit);
  }

  endTurn(): void {
    // What comes now is for the next call.
    if (this.#ahead !== undefined && this.#inSync) return;
    this.#inTurn = false;
    // More than was asked for: whose it is, only a resynchronisation tells.
    if (!this.#reader.isEmpty) this.#inSync = false;
    this.#reader.clear();
  }

  async #synchronize(limit: CallLimit): Promise<void> {
    this.#inSync = false;
    this.#ahead = undefined;
    const token = BigInt(randomInt(1, 2 ** 47));
    this.#reader.clear();
    this.#reader.waitForSentinel();
    const { id, parts } = this.#request('guest-sync-delimited', [`{"id":${token}}`]);
    this.#stream.write(Buffer.concat([Buffer.of(SENTINEL), Buffer.from(parts.join(''))]));
    for (;;) {
      const reply = await this.#nextReply(limit).catch(unlessGarbage);
      if (reply?.returned === token) {
        this.#repeatsIds = reply.id === id;
        this.#inSync = true;
        return;
      }
      // Leftovers, or a late answer to an earlier resynchronisation: the next sentinel may be ours.
      this.#reader.waitForSentinel();
    }
  }

  #request(name: string, argumentParts: RequestParts): { readonly id: bigint; readonly parts: RequestParts } {
    this.#lastId += 1n;
    return { id: this.#lastId, parts: [`{"execute":${jsonString(name)},"arguments":`, ...argumentParts, `,"id":${this.#lastId}}\n`] };
  }

  async call(name: string, argumentParts: RequestParts, limit: CallLimit, next?: () => Promise<Uint8Array>, held?: HeldCall): Promise<JsonValue> {
    const ahead = held !== undefined && this.#ahead?.held === held ? this.#ahead : undefined;
    if (ahead !== undefined) {
      this.#ahead = undefined;
      if (ahead.reply !== undefined) return returnedBy(ahead.reply);
    }
    const id = ahead?.id ?? await this.#sent(name, argumentParts, limit);
    next?.().then((bytes) => this.#writer.prepare(bytes), () => undefined);
    if (held === undefined) return returnedBy(await this.#replyTo(id, limit));
    let ping: bigint | undefined;
    const hurry = (): void => {
      ping ??= this.#hurry();
    };
    held.onHurried(hurry);
    // Where answers cannot be told apart, that of the ping would be taken for the one that is lost.
    const probe = this.#repeatsIds ? setTimeout(hurry, held.waitMs + OVERDUE_MS) : undefined;
    let reply: Reply;
    try {
      reply = await this.#replyTo(id, limit);
    } finally {
      held.onHurried(undefined);
      clearTimeout(probe);
    }
    // What the agent could not read is no request of ours as it went out: an agent before this one had read the beginning.
    if (this.#repeatsIds && reply.id === undefined) throw this.#lost(`the agent could not read the request: ${reply.error?.message ?? ''}`);
    if (ping !== undefined) await this.#replyTo(ping, limit);
    return returnedBy(reply);
  }

  async #sent(name: string, argumentParts: RequestParts, limit: CallLimit): Promise<bigint> {
    const { id, parts } = this.#request(name, argumentParts);
    await this.#send(parts, limit);
    return id;
  }

  sendAhead(name: string, argumentParts: RequestParts, held: HeldCall): boolean {
    // Without ids an answer could be taken for the one before it.
    if (!this.#inTurn || !this.#inSync || !this.#repeatsIds || this.#ahead !== undefined || this.#ended !== undefined) return false;
    if (argumentParts.some((part) => typeof part !== 'string' && part.length > MOST_AT_ONCE)) return false;
    const { id, parts } = this.#request(name, argumentParts);
    this.#stream.write(parts.map((part) => (typeof part === 'string' ? part : Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('base64'))).join(''));
    this.#ahead = { id, held };
    return true;
  }

  /** Anything else that a host says ends the wait of an exchange; a ping does nothing else. */
  #hurry(): bigint {
    const { id, parts } = this.#request('guest-ping', ['{}']);
    this.#stream.write(parts.join(''));
    return id;
  }

  /** @throws ClientError `timeout` at once where the agent has answered what went out later: it answers in order, so this answer is lost */
  async #replyTo(id: bigint, limit: CallLimit): Promise<Reply> {
    for (;;) {
      const reply = await this.#nextReply(limit);
      if (this.#repeatsIds && typeof reply.id === 'bigint' && reply.id > id && reply.id <= this.#lastId) throw this.#lost('an answer is lost: the agent has answered what it was asked later');
      if (reply.id !== undefined && reply.id === this.#ahead?.id) {
        this.#ahead.reply = reply;
        continue;
      }
      // An error may lack the id: of a request that the agent could not read.
      if (!this.#repeatsIds || reply.id === id || (reply.id === undefined && reply.error !== undefined)) return reply;
    }
  }

  /** Of a request that will be made again: what is behind it on its way is given up, and asked for again, too. */
  #lost(message: string): ClientError {
    this.#inSync = false;
    return new ClientError('timeout', message);
  }

  /** A long request goes out bit by bit, as the agent takes it. */
  async #send(parts: RequestParts, limit: CallLimit): Promise<void> {
    for (const taken of this.#writer.write(parts)) {
      await this.#until<void>(limit, (resolve) => {
        void taken.then(resolve);
        return {};
      });
    }
  }

  #nextReply(limit: CallLimit): Promise<Reply> {
    return this.#until<Reply>(limit, (resolve) => ({ reply: resolve }));
  }

  /** Waits for something, for the limit, or for the end of the channel. @param begin is told what resolves it */
  #until<T>(limit: CallLimit, begin: (resolve: (value: T) => void) => Pick<Waiting, 'reply'>): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        // What was waited for may come after all, when another call waits.
        if (this.#waiting !== waiting) return;
        this.#waiting = undefined;
        limit.onExpired(undefined);
      };
      const { reply } = begin((value) => {
        settle();
        resolve(value);
      });
      const waiting: Waiting = {
        ...(reply === undefined ? {} : { reply }),
        failed: (error) => {
          settle();
          this.#inSync = false;
          reject(error);
        },
      };
      this.#waiting = waiting;
      limit.onExpired((error) => this.#waiting?.failed(error));
      if (this.#ended !== undefined) this.#waiting?.failed(this.#ended);
      this.#handOver();
    });
  }

  #data(chunk: Buffer): void {
    if (!this.#inTurn) {
      // Too late, or somebody else's: the next call begins with a resynchronisation.
      this.#inSync = false;
      return;
    }
    this.#reader.push(chunk);
    this.#handOver();
    this.#orEnd(() => this.#reader.retain());
  }

  #handOver(): void {
    const reply = this.#waiting?.reply;
    if (reply === undefined) return;
    this.#orEnd(() => {
      const next = this.#reader.next();
      if (next !== undefined) reply(next);
    });
  }

  /** Garbage fails the call, and the next resynchronises; what is too long ends the conversation. */
  #orEnd(read: () => void): void {
    try {
      read();
    } catch (thrown) {
      const error = ClientError.is(thrown) ? thrown : new ClientError('garbage', String(thrown), { cause: thrown });
      if (error.kind === 'garbage') {
        this.#waiting?.failed(error);
        return;
      }
      this.#end(error);
      this.#stream.destroy();
    }
  }

  close(error: ClientError): void {
    this.#end(error);
    this.#stream.destroy();
  }

  #end(error: ClientError): void {
    this.#ended ??= error;
    this.#waiting?.failed(this.#ended);
  }
}

/** What nobody can read is no answer to a resynchronisation, and nothing else. */
function unlessGarbage(error: unknown): undefined {
  if (!ClientError.is(error) || error.kind !== 'garbage') throw error;
}
