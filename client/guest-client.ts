// SPDX-License-Identifier: Apache-2.0
import type { Duplex } from 'node:stream';

import { messageOf } from '../core/errors/agent-error.ts';
import { isJsonObject, type JsonValue } from '../core/protocol/value.ts';
import type { CommandSchema } from '../core/schema/command.ts';
import { commands, type CommandName } from '../core/schema/index.ts';
import { Base64Text } from '../core/schema/types.ts';
import { CallLimit, unlessAborted } from './call-limit.ts';
import type { Channel } from './channel.ts';
import type { Commands } from './commands.ts';
import { ClientError } from './client-error.ts';
import { decodeResult } from './decode-result.ts';
import { encodeArguments, type RequestParts } from './encode-arguments.ts';
import type { HeldCall } from './held-call.ts';
import { DEFAULT_PIECE } from './piece.ts';
import { CommandChannel, type SingleCommands } from './single-commands.ts';
import { StreamChannel } from './stream-channel.ts';

/** Integers may be given as numbers where they are safe; they always come back as `bigint`. */
export type Input<N extends CommandName> = Commands[N]['arguments'];
export type Output<N extends CommandName> = Commands[N]['result'];

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
 * the bytes of the next call when this one is sent: they become base64 while the answer is waited for. What is `held` gives way to the call behind
 * it. For the helpers of this package,
 * of which there may be two copies: `concierge-client` and `concierge-ga/client`.
 */
export const withBytes: unique symbol = Symbol.for('concierge-client/withBytes');

/** Sends the call that will be made next behind one that is held, as `Channel.sendAhead` has it. For the helpers of this package, as `withBytes`. */
export const ahead: unique symbol = Symbol.for('concierge-client/ahead');

/** Whether an answer that the agent holds back can be hurried. For the helpers of this package, as `withBytes`. */
export const canHurry: unique symbol = Symbol.for('concierge-client/canHurry');

/**
 * A host's conversation with a guest agent: this project's or any `qemu-ga`. One request is under way at a time, others
 * queue.
 */
export class GuestClient {
  /** Bytes of a file that go well in one request to read, and in one to write. */
  readonly pieceBytes: { readonly read: number; readonly write: number };
  readonly #channel: Channel;
  readonly #timeoutMs: number;
  readonly [canHurry]: boolean;
  /** How many calls wait for their turn, and the call that has it, where the agent holds its answer back. */
  #behind = 0;
  #held: HeldCall | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  /** @param way a stream of bytes to the agent, or what carries single commands */
  constructor(way: Duplex | SingleCommands, { timeoutMs = 5_000, maxReplyBytes = 96 * 1024 * 1024 }: ClientOptions = {}) {
    const single = 'ask' in way ? way : undefined;
    this.#timeoutMs = timeoutMs;
    this[canHurry] = single === undefined;
    this.#channel = 'ask' in way ? new CommandChannel(way, maxReplyBytes, base64Members) : new StreamChannel(way, maxReplyBytes, base64Members);
    this.pieceBytes = { read: single?.readBytes ?? DEFAULT_PIECE, write: single?.writeBytes ?? DEFAULT_PIECE };
  }

  /** False where each command may come to the agent as from another host (libvirt, Proxmox VE, a program): nothing can be tied to the connection. */
  get isOwnConnection(): boolean {
    return this.#channel.isOwnConnection;
  }

  /** False once the channel is gone: every further call throws `closed`. */
  get isOpen(): boolean {
    return this.#channel.ended === undefined;
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

  async [withBytes](name: CommandName, args: Readonly<Record<string, unknown>>, options: CallOptions, next?: () => Promise<Uint8Array>, held?: HeldCall): Promise<unknown> {
    return this.#execute(name, args, options, true, next, held);
  }

  [ahead](name: CommandName, args: Readonly<Record<string, unknown>>, behind: HeldCall, held: HeldCall): boolean {
    if (this.#held !== behind || !behind.isWaiting || this.#behind > 0) return false;
    const schema = schemas.get(name);
    if (schema === undefined || this.#channel.sendAhead?.(name, encodeArguments(schema, args), held) !== true) return false;
    behind.isFollowed();
    return true;
  }

  async #execute(name: CommandName, args: object, options: CallOptions, keepBytes: boolean, next?: () => Promise<Uint8Array>, held?: HeldCall): Promise<unknown> {
    const schema = schemas.get(name);
    if (schema === undefined) throw new TypeError(`no command is named '${name}'`);
    const parts = encodeArguments(schema, args as Readonly<Record<string, unknown>>);
    return this.#enqueue(options, async (limit) => {
      const value = schema.successResponse ? await this.#channel.call(name, parts, limit, next, held) : await this.#order(name, parts, limit);
      return value === undefined ? undefined : decodeResult(schema.result, value, name, keepBytes);
    }, false, held);
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
    return this.#enqueue(options, async (limit) => asSent(await this.#channel.call(name, [text], limit)));
  }

  /** Throws away whatever the agent still has to say, and makes sure that it listens. */
  async synchronize(options: CallOptions = {}): Promise<void> {
    return this.#enqueue(options, () => Promise.resolve(), true);
  }

  close(): void {
    this.#channel.close(new ClientError('closed', 'the client was closed'));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #enqueue<T>(options: CallOptions, run: (limit: CallLimit) => Promise<T>, afresh = false, held?: HeldCall): Promise<T> {
    const { signal } = options;
    this.#behind += 1;
    this.#held?.hurry();
    const turn = this.#queue.then(async () => {
      this.#behind -= 1;
      if (this.#channel.ended !== undefined) throw this.#channel.ended;
      const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
      using limit = new CallLimit(timeoutMs === 0 ? 0 : timeoutMs + (held?.waitMs ?? 0), signal);
      limit.check();
      this.#held = held;
      if (this.#behind > 0) held?.hurry();
      try {
        await this.#channel.begin(limit, afresh);
        return await run(limit);
      } finally {
        this.#held = undefined;
        this.#channel.endTurn();
      }
    });
    this.#queue = turn.catch(() => undefined);
    return signal === undefined ? turn : unlessAborted(turn, signal);
  }

  async #order(name: string, argumentParts: RequestParts, limit: CallLimit): Promise<undefined> {
    try {
      await this.#channel.call(name, argumentParts, limit);
    } catch (error) {
      // Silence is the success of these commands, and a guest that goes down takes the channel with it.
      if (!ClientError.is(error) || (error.kind !== 'timeout' && error.kind !== 'closed')) throw error;
    }
    return undefined;
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

/** A value as it was sent: long base64 as text. */
function asSent(value: JsonValue): JsonValue {
  if (value instanceof Base64Text) return value.toString();
  if (Array.isArray(value)) return value.map(asSent);
  return isJsonObject(value) ? new Map([...value].map(([name, member]) => [name, asSent(member)])) : value;
}
