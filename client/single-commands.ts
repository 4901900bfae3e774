// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import { jsonString } from '../core/protocol/json-text.ts';
import type { JsonValue } from '../core/protocol/value.ts';
import type { CallLimit } from './call-limit.ts';
import type { Channel } from './channel.ts';
import { ClientError } from './client-error.ts';
import type { RequestParts } from './encode-arguments.ts';
import { ReplyReader } from './reply-reader.ts';
import { returnedBy } from './reply.ts';

/**
 * A way to an agent that takes one request and brings its answer, and nothing else: whoever holds the port (libvirt, a
 * hypervisor's own tool) resynchronises by himself.
 */
export interface SingleCommands {
  /**
   * Answers the JSON text of the agent's answer, `{"return": …}` or `{"error": …}`.
   *
   * @param signal aborted when nobody waits any more
   * @param timeoutMs how long the answer is waited for, for a way that has a limit of its own; 0: for ever
   * @throws ClientError
   */
  ask(request: string, signal: AbortSignal, timeoutMs: number): Promise<string | Uint8Array>;
  /** The client is closed, and asks no more. */
  close?(): void;
  /** Bytes of a request that it takes; absent: any. */
  readonly maxRequestBytes?: number;
  /** Bytes of a file that go well in one answer and one request. */
  readonly readBytes?: number;
  readonly writeBytes?: number;
}

const LINE_FEED = Buffer.from('\n');

/** Single commands as the client uses them. */
export class CommandChannel implements Channel {
  readonly #way: SingleCommands;
  readonly #maxReplyBytes: number;
  readonly #base64Members: ReadonlySet<string>;
  #ended: ClientError | undefined;

  constructor(way: SingleCommands, maxReplyBytes: number, base64Members: ReadonlySet<string>) {
    this.#way = way;
    this.#maxReplyBytes = maxReplyBytes;
    this.#base64Members = base64Members;
  }

  /** Whoever carries them synchronises with the agent before each, as a new host does. */
  readonly isOwnConnection = false;

  get ended(): ClientError | undefined {
    return this.#ended;
  }

  async begin(limit: CallLimit, afresh: boolean): Promise<void> {
    if (afresh) await this.call('guest-ping', ['{}'], limit);
  }

  async call(name: string, argumentParts: RequestParts, limit: CallLimit): Promise<JsonValue> {
    const request = `{"execute":${jsonString(name)},"arguments":${argumentParts.map((part) => (typeof part === 'string' ? part : base64(part))).join('')}}`;
    const { maxRequestBytes = Number.POSITIVE_INFINITY } = this.#way;
    // JSON of the client's own is ASCII; that of executeRaw may be anything.
    const length = Buffer.byteLength(request);
    if (length > maxRequestBytes) throw new ClientError('too-large', `a request of ${length} bytes: only ${maxRequestBytes} can go this way`);
    const answer = Buffer.from(await this.#asked(request, limit));
    if (answer.length > this.#maxReplyBytes) throw new ClientError('too-large', `an answer of more than ${this.#maxReplyBytes} bytes`);
    const reader = new ReplyReader(this.#maxReplyBytes, this.#base64Members);
    reader.push(answer);
    reader.push(LINE_FEED);
    const reply = reader.next();
    if (reply === undefined) throw new ClientError('garbage', 'there came nothing that is an answer');
    return returnedBy(reply);
  }

  endTurn(): void {
    // Nothing is left of a call: its answer is its own.
  }

  close(error: ClientError): void {
    this.#ended ??= error;
    this.#way.close?.();
  }

  async #asked(request: string, limit: CallLimit): Promise<string | Uint8Array> {
    const gaveUp = new AbortController();
    const expired = new Promise<never>((_resolve, reject) => {
      limit.onExpired((error) => {
        reject(error);
        gaveUp.abort(error);
      });
    });
    try {
      return await Promise.race([this.#way.ask(request, gaveUp.signal, limit.timeoutMs), expired]);
    } finally {
      limit.onExpired(undefined);
    }
  }
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
