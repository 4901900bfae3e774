// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import { JsonDecoder } from '../core/protocol/json-decoder.ts';
import { SENTINEL } from '../core/protocol/response.ts';
import type { JsonValue } from '../core/protocol/value.ts';
import { ClientError } from './client-error.ts';
import { replyOf, type Reply } from './reply.ts';

const LINE_FEED = 0x0a;
/** What is kept of many small chunks lies together, in blocks that grow up to this. */
const BLOCK = 64 * 1024;
/** Bytes of a line that an error message shows. */
const SHOWN = 120;

/**
 * Takes answers off what an agent sends, one a line. A line is decoded while it arrives and is never held as a whole: of an
 * answer that brings 48 MiB of a file nothing is kept but these. While it waits for a sentinel everything before a 0xFF is
 * dropped: stale answers, error lines about the resynchronisation itself, another client's leftovers.
 */
export class ReplyReader {
  readonly #maxBytes: number;
  readonly #decoder: JsonDecoder;
  readonly #head = Buffer.alloc(SHOWN);
  /** Pieces that nobody has taken, none of them empty. The last `#lent` are in memory of whoever handed them in. */
  readonly #unread: Buffer[] = [];
  #unreadBytes = 0;
  #lent = 0;
  /** Where the piece kept last lies, and how much of it is used: the next one may go on there. */
  #block: Buffer | undefined;
  #used = 0;
  #untilSentinel = false;
  /** Bytes of the line so far. */
  #length = 0;
  #shown = 0;
  #value: JsonValue | undefined;
  /** What has come of the line is not one JSON value and nothing else. */
  #isBroken = false;

  /** @param base64Members names of members that become a `Base64Text` where they are long */
  constructor(maxBytes: number, base64Members: ReadonlySet<string>) {
    this.#maxBytes = maxBytes;
    this.#decoder = new JsonDecoder({ base64Members });
  }

  /** Whether nothing has come that nobody took. */
  get isEmpty(): boolean {
    return this.#unreadBytes === 0 && this.#length === 0;
  }

  clear(): void {
    this.#dropUnread();
    this.#startLine();
  }

  /** The next answer is the one behind the next 0xFF. */
  waitForSentinel(): void {
    this.#untilSentinel = true;
    this.#startLine();
  }

  /** Hands in what has come. It is read where it lies: the memory is the caller's again after `retain`. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#unread.push(chunk);
    this.#unreadBytes += chunk.length;
    this.#lent += 1;
  }

  /**
   * Keeps what nobody has taken yet in memory of its own. What was kept before stays where it is: while a long request goes
   * out nobody takes anything, and a guest may talk all the time.
   *
   * @throws ClientError `too-large`: more than one answer can be
   */
  retain(): void {
    if (this.#unreadBytes > this.#maxBytes) throw this.#tooLarge();
    const lent = this.#unread.splice(this.#unread.length - this.#lent);
    this.#lent = 0;
    for (const piece of lent) this.#keep(piece);
  }

  #keep(piece: Buffer): void {
    let last = this.#block === undefined ? undefined : this.#unread.pop();
    if (this.#block === undefined || this.#block.length - this.#used < piece.length) {
      if (last !== undefined) this.#unread.push(last);
      this.#block = Buffer.allocUnsafeSlow(Math.max(piece.length, Math.min(this.#unreadBytes, BLOCK)));
      this.#used = 0;
      last = undefined;
    }
    const begin = this.#used - (last?.length ?? 0);
    this.#used += piece.copy(this.#block, this.#used);
    this.#unread.push(this.#block.subarray(begin, this.#used));
  }

  /** Takes bytes off the front of the first piece. */
  #take(count: number): void {
    const [first] = this.#unread;
    if (first === undefined) return;
    this.#unreadBytes -= count;
    if (count < first.length) this.#unread[0] = first.subarray(count);
    else this.#unread.shift();
    if (this.#unread.length === 0) this.#dropUnread();
    else this.#lent = Math.min(this.#lent, this.#unread.length);
  }

  #dropUnread(): void {
    this.#unread.length = 0;
    this.#unreadBytes = 0;
    this.#lent = 0;
    this.#block = undefined;
  }

  /**
   * The next answer, where it is there as a whole.
   *
   * @throws ClientError `too-large` when a line does not end, `garbage` for one that is no answer
   */
  next(): Reply | undefined {
    for (;;) {
      if (this.#untilSentinel) this.#dropToSentinel();
      const [piece] = this.#unread;
      if (piece === undefined) return undefined;
      const end = piece.indexOf(LINE_FEED);
      this.#read(end === -1 ? piece : piece.subarray(0, end));
      this.#take(end === -1 ? piece.length : end + 1);
      if (this.#length > this.#maxBytes) throw this.#tooLarge();
      if (end === -1) continue;
      const reply = this.#endLine();
      if (reply !== undefined) return reply;
    }
  }

  /** A sentinel within a line begins it anew. */
  #read(piece: Buffer): void {
    this.#length += piece.length;
    const mark = piece.lastIndexOf(SENTINEL);
    if (mark !== -1) {
      const length = this.#length;
      this.#startLine();
      this.#length = length;
    }
    const text = piece.subarray(mark + 1);
    if (this.#shown < SHOWN) this.#shown += text.copy(this.#head, this.#shown);
    if (this.#isBroken) return;
    this.#decoder.feed(text);
    for (let decoded = this.#decoder.next(); decoded !== undefined && !this.#isBroken; decoded = this.#decoder.next()) {
      this.#isBroken = decoded.kind === 'error' || this.#value !== undefined;
      if (decoded.kind === 'value') this.#value = decoded.value;
    }
  }

  /** The answer of the line, `undefined` where it is blank. */
  #endLine(): Reply | undefined {
    const [value, isBroken, isPart] = [this.#value, this.#isBroken, this.#decoder.pendingBytes > 0];
    const shown = this.#head.toString('latin1', 0, this.#shown);
    this.#startLine();
    if (!isBroken && !isPart && value !== undefined) return replyOf(value, shown);
    if (!isBroken && !isPart && shown.trim() === '') return undefined;
    throw new ClientError('garbage', `the agent sent something that is no answer: ${JSON.stringify(shown)}`);
  }

  #startLine(): void {
    this.#decoder.reset();
    this.#length = 0;
    this.#shown = 0;
    this.#value = undefined;
    this.#isBroken = false;
  }

  #dropToSentinel(): void {
    for (let [piece] = this.#unread; piece !== undefined && this.#untilSentinel; [piece] = this.#unread) {
      const mark = piece.indexOf(SENTINEL);
      this.#take(mark === -1 ? piece.length : mark + 1);
      this.#untilSentinel = mark === -1;
    }
  }

  #tooLarge(): ClientError {
    return new ClientError('too-large', `an answer of more than ${this.#maxBytes} bytes`);
  }
}
