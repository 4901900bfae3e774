import { Buffer } from 'node:buffer';
import { randomInt } from 'node:crypto';
import type { Duplex } from 'node:stream';

import { jsonString } from '../core/protocol/json-text.ts';
import { SENTINEL } from '../core/protocol/response.ts';
import type { JsonValue } from '../core/protocol/value.ts';
import type { ArgumentsOf, CommandSchema, ResultOf } from '../core/schema/command.ts';
import { commands, type Command, type CommandName } from '../core/schema/index.ts';
import { CallLimit } from './call-limit.ts';
import { ClientError } from './client-error.ts';
import { decodeResult } from './decode-result.ts';
import { encodeArguments } from './encode-arguments.ts';
import { ReplyReader } from './reply-reader.ts';
import { parseReply, returnedBy, type Reply } from './reply.ts';

type Named<N extends CommandName> = Extract<Command, { readonly name: N }>;

/** Integers may be given as numbers where they are safe; they always come back as `bigint`. */
export type Input<N extends CommandName> = Loose<ArgumentsOf<Named<N>>>;
export type Output<N extends CommandName> = Exact<ResultOf<Named<N>>>;

type Loose<T> = T extends bigint ? bigint | number : T extends readonly (infer E)[] ? readonly Loose<E>[] : T extends object ? { readonly [K in keyof T]: Loose<T[K]> } : T;
type Exact<T> = ExactPresent<Exclude<T, undefined>>;
type ExactPresent<T> = [T] extends [number] ? number
  : [T] extends [bigint | number] ? bigint
  : T extends readonly (infer E)[] ? readonly Exact<E>[] : T extends object ? { readonly [K in keyof T]: Exact<T[K]> } : T;

export interface CallOptions {
  /** Milliseconds to wait for the answer; 0: for ever. Default: the client's `timeoutMs`. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export interface ClientOptions {
  /** Milliseconds to wait for each answer; 0: for ever. Default 5 000, as libvirt and Proxmox VE have it. */
  readonly timeoutMs?: number;
  /** An answer longer than this closes the channel. Default 96 MiB, room for the 48 MiB that one read may bring. */
  readonly maxReplyBytes?: number;
}

const schemas: ReadonlyMap<string, CommandSchema> = new Map(commands.map((schema) => [schema.name, schema]));

interface Waiting {
  line(text: Buffer): void;
  failed(error: ClientError): void;
}

/**
 * A host's conversation with a guest agent: this project's or any `qemu-ga`. One request is under way at a time, others
 * queue. The first call, and the first after anything unexpected (a time-out, garbage, an answer that nobody asked
 * for), resynchronises, so that an answer is never taken for another's. Every request carries an `id`; where the agent
 * repeats it, answers to somebody else are passed over.
 */
export class GuestClient {
  readonly #stream: Duplex;
  readonly #timeoutMs: number;
  readonly #reader: ReplyReader;
  #queue: Promise<unknown> = Promise.resolve();
  #waiting: Waiting | undefined;
  /** A call has its turn: what comes now may be for it. */
  #inTurn = false;
  #inSync = false;
  #repeatsIds = false;
  #lastId = 0n;
  #ended: ClientError | undefined;

  constructor(stream: Duplex, { timeoutMs = 5_000, maxReplyBytes = 96 * 1024 * 1024 }: ClientOptions = {}) {
    this.#stream = stream;
    this.#timeoutMs = timeoutMs;
    this.#reader = new ReplyReader(maxReplyBytes);
    stream.on('data', (chunk: Buffer) => this.#data(chunk));
    stream.on('error', (error: Error) => this.#end(new ClientError('closed', `the channel broke: ${error.message}`, { cause: error })));
    stream.on('end', () => this.#end(new ClientError('closed', 'the agent closed the channel')));
    stream.on('close', () => this.#end(new ClientError('closed', 'the agent closed the channel')));
    // A stream that was paused while somebody greeted the other side does not flow by a listener alone.
    stream.resume();
  }

  /** False once the channel is gone: every further call throws `closed`. */
  get isOpen(): boolean {
    return this.#ended === undefined;
  }

  /**
   * Calls a command. For one without a success answer (shutdown, suspend) it resolves when the request is sent and
   * nothing objected within the time limit, or the channel closed.
   *
   * @throws ClientError, or a TypeError for arguments that the schema does not take
   */
  async execute<N extends CommandName>(name: N, ...rest: Record<never, never> extends Input<N> ? [args?: Input<N>, options?: CallOptions] : [args: Input<N>, options?: CallOptions]): Promise<Output<N>> {
    const schema = schemas.get(name);
    if (schema === undefined) throw new TypeError(`no command is named '${name}'`);
    const [args = {}, options = {}] = rest as [object?, CallOptions?];
    const argumentsJson = encodeArguments(schema, args as Readonly<Record<string, unknown>>);
    return this.#enqueue(options, async (limit) => {
      const value = schema.successResponse ? await this.#call(name, argumentsJson, limit) : await this.#order(name, argumentsJson, limit);
      return (value === undefined ? undefined : decodeResult(schema.result, value, name)) as Output<N>;
    });
  }

  /** Calls any command by name, with any arguments, and answers the `return` value as it came: for names of no schema. */
  async executeRaw(name: string, argumentsJson = '{}', options: CallOptions = {}): Promise<JsonValue> {
    return this.#enqueue(options, (limit) => this.#call(name, argumentsJson, limit));
  }

  /** Throws away whatever the agent still has to say, and makes sure that it listens. */
  async synchronize(options: CallOptions = {}): Promise<void> {
    return this.#enqueue(options, () => Promise.resolve(), true);
  }

  close(): void {
    this.#end(new ClientError('closed', 'the client was closed'));
    this.#stream.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #enqueue<T>(options: CallOptions, run: (limit: CallLimit) => Promise<T>, afresh = false): Promise<T> {
    const { signal } = options;
    const turn = this.#queue.then(async () => {
      if (this.#ended !== undefined) throw this.#ended;
      using limit = new CallLimit(options.timeoutMs ?? this.#timeoutMs, signal);
      limit.check();
      this.#inTurn = true;
      try {
        if (afresh || !this.#inSync) await this.#synchronize(limit);
        return await run(limit);
      } finally {
        this.#endTurn();
      }
    });
    this.#queue = turn.catch(() => undefined);
    return signal === undefined ? turn : unlessAborted(turn, signal);
  }

  #endTurn(): void {
    this.#inTurn = false;
    // More than was asked for: whose it is, only a resynchronisation tells.
    if (!this.#reader.isEmpty) this.#inSync = false;
    this.#reader.clear();
  }

  async #synchronize(limit: CallLimit): Promise<void> {
    this.#inSync = false;
    const token = BigInt(randomInt(1, 2 ** 47));
    this.#reader.clear();
    this.#reader.waitForSentinel();
    const { id, text } = this.#request('guest-sync-delimited', `{"id":${token}}`);
    this.#stream.write(Buffer.concat([Buffer.of(SENTINEL), Buffer.from(text)]));
    for (;;) {
      const reply = parseReply(await this.#nextLine(limit));
      if (reply.returned === token) {
        this.#repeatsIds = reply.id === id;
        this.#inSync = true;
        return;
      }
      // A late answer to an earlier resynchronisation: the next sentinel may be ours.
      this.#reader.waitForSentinel();
    }
  }

  #request(name: string, argumentsJson: string): { readonly id: bigint; readonly text: string } {
    this.#lastId += 1n;
    return { id: this.#lastId, text: `{"execute":${jsonString(name)},"arguments":${argumentsJson},"id":${this.#lastId}}\n` };
  }

  async #call(name: string, argumentsJson: string, limit: CallLimit): Promise<JsonValue> {
    const { id, text } = this.#request(name, argumentsJson);
    this.#stream.write(text);
    for (;;) {
      const reply = await this.#nextReply(limit);
      // An error may lack the id: of a request that the agent could not read.
      if (!this.#repeatsIds || reply.id === id || (reply.id === undefined && reply.error !== undefined)) return returnedBy(reply);
    }
  }

  async #nextReply(limit: CallLimit): Promise<Reply> {
    const line = await this.#nextLine(limit);
    try {
      return parseReply(line);
    } catch (error) {
      this.#inSync = false;
      throw error;
    }
  }

  async #order(name: string, argumentsJson: string, limit: CallLimit): Promise<undefined> {
    try {
      await this.#call(name, argumentsJson, limit);
    } catch (error) {
      // Silence is the success of these commands, and a guest that goes down takes the channel with it.
      if (!ClientError.is(error) || (error.kind !== 'timeout' && error.kind !== 'closed')) throw error;
    }
    return undefined;
  }

  #nextLine(limit: CallLimit): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiting = undefined;
        limit.onExpired(undefined);
      };
      this.#waiting = {
        line: (text) => {
          settle();
          resolve(text);
        },
        failed: (error) => {
          settle();
          this.#inSync = false;
          reject(error);
        },
      };
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
  }

  #handOver(): void {
    if (this.#waiting === undefined) return;
    try {
      const line = this.#reader.next();
      if (line !== undefined) this.#waiting.line(line);
    } catch (error) {
      this.#end(ClientError.is(error) ? error : new ClientError('garbage', String(error), { cause: error }));
      this.#stream.destroy();
    }
  }

  #end(error: ClientError): void {
    this.#ended ??= error;
    this.#waiting?.failed(this.#ended);
  }
}

/** A call that is given up while it queues fails at once, not when its turn comes. */
function unlessAborted<T>(turn: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(new ClientError('aborted', 'the call was given up', { cause: signal.reason }));
    if (signal.aborted) giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    void turn.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
  });
}
