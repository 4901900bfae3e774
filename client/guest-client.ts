import { Buffer } from 'node:buffer';
import { randomInt } from 'node:crypto';
import type { Duplex } from 'node:stream';

import { messageOf } from '../core/errors/agent-error.ts';
import { jsonString } from '../core/protocol/json-text.ts';
import { SENTINEL } from '../core/protocol/response.ts';
import { isJsonObject, type JsonValue } from '../core/protocol/value.ts';
import type { ArgumentsOf, CommandSchema, ResultOf } from '../core/schema/command.ts';
import { commands, type Command, type CommandName } from '../core/schema/index.ts';
import { Base64Text } from '../core/schema/types.ts';
import { CallLimit, unlessAborted } from './call-limit.ts';
import { ClientError } from './client-error.ts';
import { readDirectly } from './connect.ts';
import { decodeResult } from './decode-result.ts';
import { encodeArguments, type RequestParts } from './encode-arguments.ts';
import { ReplyReader } from './reply-reader.ts';
import { returnedBy, type Reply } from './reply.ts';
import { RequestWriter } from './request-writer.ts';

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

/** Members of answers that are base64. */
const base64Members: ReadonlySet<string> = new Set(
  commands.flatMap(({ result }: CommandSchema) =>
    result.kind === 'struct' ? Object.entries(result.members).flatMap(([name, { type }]) => (type.kind === 'str' && type.base64 === true ? [name] : [])) : []),
);

/**
 * As `execute`, but arguments that are base64 may be bytes, and long base64 of the answer is a `Base64Text`. `next` is asked for
 * the bytes of the next call when this one is sent: they become base64 while the answer is waited for. For the helpers of this package,
 * of which there may be two copies: `concierge-client` and `concierge-ga/client`.
 */
export const withBytes: unique symbol = Symbol.for('concierge-client/withBytes');

interface Waiting {
  /** The answer for which is waited; absent while a request is on its way out. */
  readonly reply?: (reply: Reply) => void;
  readonly failed: (error: ClientError) => void;
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
  readonly #writer: RequestWriter;
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
    const [args = {}, options = {}] = rest as [object?, CallOptions?];
    return (await this.#execute(name, args, options, false)) as Output<N>;
  }

  async [withBytes](name: CommandName, args: Readonly<Record<string, unknown>>, options: CallOptions, next?: () => Promise<Uint8Array>): Promise<unknown> {
    return this.#execute(name, args, options, true, next);
  }

  async #execute(name: CommandName, args: object, options: CallOptions, keepBytes: boolean, next?: () => Promise<Uint8Array>): Promise<unknown> {
    const schema = schemas.get(name);
    if (schema === undefined) throw new TypeError(`no command is named '${name}'`);
    const parts = encodeArguments(schema, args as Readonly<Record<string, unknown>>);
    return this.#enqueue(options, async (limit) => {
      const value = schema.successResponse ? await this.#call(name, parts, limit, next) : await this.#order(name, parts, limit);
      return value === undefined ? undefined : decodeResult(schema.result, value, name, keepBytes);
    });
  }

  /**
   * Calls any command by name, with any arguments, and answers the `return` value as it came: for names of no schema.
   *
   * @param argumentsJson one JSON object
   * @throws ClientError, or a TypeError for a text that is none: nothing has been sent then
   */
  async executeRaw(name: string, argumentsJson = '{}', options: CallOptions = {}): Promise<JsonValue> {
    if (typeof name !== 'string') throw new TypeError('the name of a command is a string');
    const text = oneObject(argumentsJson);
    return this.#enqueue(options, async (limit) => asSent(await this.#call(name, [text], limit)));
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

  async #call(name: string, argumentParts: RequestParts, limit: CallLimit, next?: () => Promise<Uint8Array>): Promise<JsonValue> {
    const { id, parts } = this.#request(name, argumentParts);
    await this.#send(parts, limit);
    next?.().then((bytes) => this.#writer.prepare(bytes), () => undefined);
    for (;;) {
      const reply = await this.#nextReply(limit);
      // An error may lack the id: of a request that the agent could not read.
      if (!this.#repeatsIds || reply.id === id || (reply.id === undefined && reply.error !== undefined)) return returnedBy(reply);
    }
  }

  async #order(name: string, argumentParts: RequestParts, limit: CallLimit): Promise<undefined> {
    try {
      await this.#call(name, argumentParts, limit);
    } catch (error) {
      // Silence is the success of these commands, and a guest that goes down takes the channel with it.
      if (!ClientError.is(error) || (error.kind !== 'timeout' && error.kind !== 'closed')) throw error;
    }
    return undefined;
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

  #end(error: ClientError): void {
    this.#ended ??= error;
    this.#waiting?.failed(this.#ended);
  }
}

/** Text that is one object and one line: anything else would be a second request, or a part of the next. @throws TypeError */
function oneObject(json: unknown): string {
  if (typeof json !== 'string') throw new TypeError('arguments are the text of a JSON object, not a value');
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new TypeError(`arguments are the text of a JSON object: ${messageOf(error)}`, { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('arguments are the text of a JSON object');
  // A line feed can only stand between the parts of JSON, where a blank does as well; to an agent it ends a request.
  return json.replaceAll(/[\r\n]/g, ' ');
}

/** What nobody can read is no answer to a resynchronisation, and nothing else. */
function unlessGarbage(error: unknown): undefined {
  if (!ClientError.is(error) || error.kind !== 'garbage') throw error;
}

/** A value as it was sent: long base64 as text. */
function asSent(value: JsonValue): JsonValue {
  if (value instanceof Base64Text) return value.toString();
  if (Array.isArray(value)) return value.map(asSent);
  return isJsonObject(value) ? new Map([...value].map(([name, member]) => [name, asSent(member)])) : value;
}
