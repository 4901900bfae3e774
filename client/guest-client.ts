import { Buffer } from 'node:buffer';
import { randomInt } from 'node:crypto';
import type { Duplex } from 'node:stream';

import { JsonDecoder } from '../core/protocol/json-decoder.ts';
import { SENTINEL } from '../core/protocol/response.ts';
import { isJsonObject, type JsonValue } from '../core/protocol/value.ts';
import type { ArgumentsOf, CommandSchema, ResultOf } from '../core/schema/command.ts';
import { commands, type Command, type CommandName } from '../core/schema/index.ts';
import { ClientError } from './client-error.ts';
import { decodeResult } from './decode-result.ts';
import { encodeArguments } from './encode-arguments.ts';
import { ReplyReader } from './reply-reader.ts';

type Named<N extends CommandName> = Extract<Command, { readonly name: N }>;

/** Integers may be given as numbers where they are safe; they always come back as `bigint`. */
export type Input<N extends CommandName> = Loose<ArgumentsOf<Named<N>>>;
export type Output<N extends CommandName> = Exact<ResultOf<Named<N>>>;

type Loose<T> = T extends bigint ? bigint | number : T extends readonly (infer E)[] ? readonly Loose<E>[] : T extends object ? { readonly [K in keyof T]: Loose<T[K]> } : T;
type Exact<T> = [bigint] extends [T]
  ? bigint
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
 * queue. The first call, and the first after a time-out, resynchronises, so that an answer is never taken for another's.
 */
export class GuestClient {
  readonly #stream: Duplex;
  readonly #timeoutMs: number;
  readonly #reader: ReplyReader;
  #queue: Promise<unknown> = Promise.resolve();
  #waiting: Waiting | undefined;
  #inSync = false;
  #ended: ClientError | undefined;

  constructor(stream: Duplex, { timeoutMs = 5_000, maxReplyBytes = 96 * 1024 * 1024 }: ClientOptions = {}) {
    this.#stream = stream;
    this.#timeoutMs = timeoutMs;
    this.#reader = new ReplyReader(maxReplyBytes);
    stream.on('data', (chunk: Buffer) => this.#data(chunk));
    stream.on('error', (error: Error) => this.#end(new ClientError('closed', `the channel broke: ${error.message}`, { cause: error })));
    stream.on('close', () => this.#end(new ClientError('closed', 'the agent closed the channel')));
    stream.on('end', () => this.#end(new ClientError('closed', 'the agent closed the channel')));
  }

  /**
   * Calls a command. For one without a success answer (shutdown, suspend) it resolves when the request is sent and
   * nothing objected within the time limit, or the channel closed.
   *
   * @throws ClientError
   */
  execute<N extends CommandName>(name: N, ...rest: Record<never, never> extends Input<N> ? [args?: Input<N>, options?: CallOptions] : [args: Input<N>, options?: CallOptions]): Promise<Output<N>> {
    const schema = schemas.get(name);
    if (schema === undefined) throw new TypeError(`no command is named '${name}'`);
    const [args = {}, options = {}] = rest as [object?, CallOptions?];
    const request = `{"execute":"${name}","arguments":${encodeArguments(schema, args as Readonly<Record<string, unknown>>)}}\n`;
    return this.#enqueue(options, async (limit) => {
      const value = schema.successResponse ? await this.#call(request, limit) : await this.#order(request, limit);
      return (value === undefined ? undefined : decodeResult(schema.result, value, name)) as Output<N>;
    });
  }

  /** Calls any command by name, with any arguments, and answers the `return` value as it came: for names of no schema. */
  executeRaw(name: string, argumentsJson = '{}', options: CallOptions = {}): Promise<JsonValue> {
    return this.#enqueue(options, (limit) => this.#call(`{"execute":${JSON.stringify(name)},"arguments":${argumentsJson}}\n`, limit));
  }

  /** Throws away whatever the agent still has to say, and makes sure that it listens. */
  synchronize(options: CallOptions = {}): Promise<void> {
    this.#inSync = false;
    return this.#enqueue(options, () => Promise.resolve());
  }

  close(): void {
    this.#end(new ClientError('closed', 'the client was closed'));
    this.#stream.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #enqueue<T>(options: CallOptions, run: (limit: CallLimit) => Promise<T>): Promise<T> {
    const turn = this.#queue.then(async () => {
      if (this.#ended !== undefined) throw this.#ended;
      using limit = new CallLimit(options.timeoutMs ?? this.#timeoutMs, options.signal);
      limit.check();
      if (!this.#inSync) await this.#synchronize(limit);
      return await run(limit);
    });
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async #synchronize(limit: CallLimit): Promise<void> {
    const id = BigInt(randomInt(1, 2 ** 47));
    this.#reader.waitForSentinel();
    this.#stream.write(Buffer.concat([Buffer.of(SENTINEL), Buffer.from(`{"execute":"guest-sync-delimited","arguments":{"id":${id}}}\n`)]));
    for (;;) {
      const reply = parseLine(await this.#nextLine(limit));
      if (reply.returned === id) break;
      // A late answer to an earlier resynchronisation: the next sentinel may be ours.
      this.#reader.waitForSentinel();
    }
    this.#inSync = true;
  }

  async #call(request: string, limit: CallLimit): Promise<JsonValue> {
    this.#stream.write(request);
    return answerOf(parseLine(await this.#nextLine(limit)));
  }

  async #order(request: string, limit: CallLimit): Promise<undefined> {
    this.#stream.write(request);
    try {
      answerOf(parseLine(await this.#nextLine(limit)));
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
      if (this.#ended !== undefined) this.#waiting.failed(this.#ended);
    });
  }

  #data(chunk: Buffer): void {
    try {
      for (const line of this.#reader.push(chunk)) {
        // With nobody waiting it is an answer that came too late; the next call resynchronises in any case.
        if (this.#waiting === undefined) this.#inSync = false;
        else this.#waiting.line(line);
      }
    } catch (error) {
      this.#end(ClientError.is(error) ? error : new ClientError('garbage', String(error)));
      this.#stream.destroy();
    }
  }

  #end(error: ClientError): void {
    this.#ended ??= error;
    this.#waiting?.failed(this.#ended);
  }
}

/** Time limit and cancellation of one call, the wait for its turn not included. */
class CallLimit implements Disposable {
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = (): void => this.#expire(new ClientError('aborted', 'the call was given up'));
  #expired: ClientError | undefined;
  #listener: ((error: ClientError) => void) | undefined;

  constructor(timeoutMs: number, signal: AbortSignal | undefined) {
    this.#signal = signal;
    if (timeoutMs > 0) this.#timer = setTimeout(() => this.#expire(new ClientError('timeout', `no answer within ${timeoutMs} ms`)), timeoutMs);
    if (signal?.aborted === true) this.#abort();
    else signal?.addEventListener('abort', this.#abort, { once: true });
  }

  check(): void {
    if (this.#expired !== undefined) throw this.#expired;
  }

  onExpired(listener: ((error: ClientError) => void) | undefined): void {
    this.#listener = listener;
    if (this.#expired !== undefined) listener?.(this.#expired);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#abort);
  }

  #expire(error: ClientError): void {
    this.#expired ??= error;
    this.#listener?.(this.#expired);
  }
}

interface Reply {
  readonly returned?: JsonValue;
  readonly error?: ClientError;
}

function parseLine(line: Buffer): Reply {
  const decoder = new JsonDecoder();
  decoder.feed(line[0] === SENTINEL ? line.subarray(1) : line);
  const decoded = decoder.next();
  if (decoded?.kind !== 'value' || !isJsonObject(decoded.value)) {
    throw new ClientError('garbage', `the agent sent something that is no answer: ${line.toString('latin1', 0, 120)}`);
  }
  const error = decoded.value.get('error');
  if (error !== undefined) {
    const text = isJsonObject(error) ? error.get('desc') : undefined;
    const name = isJsonObject(error) ? error.get('class') : undefined;
    const agentClass = typeof name === 'string' ? name : 'GenericError';
    return { error: new ClientError('refused', typeof text === 'string' ? text : agentClass, { agentClass }) };
  }
  const returned = decoded.value.get('return');
  if (returned === undefined) throw new ClientError('garbage', 'the agent sent neither a return value nor an error');
  return { returned };
}

function answerOf({ returned, error }: Reply): JsonValue {
  if (error !== undefined) throw error;
  return returned ?? null;
}
