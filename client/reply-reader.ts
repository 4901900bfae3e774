import { Buffer } from 'node:buffer';

import { JsonDecoder } from '../core/protocol/json-decoder.ts';
import { SENTINEL } from '../core/protocol/response.ts';
import type { JsonValue } from '../core/protocol/value.ts';
import { ClientError } from './client-error.ts';
import { replyOf, type Reply } from './reply.ts';

const LINE_FEED = 0x0a;
const NOTHING = Buffer.alloc(0);
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
  #unread: Buffer = NOTHING;
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
    return this.#unread.length === 0 && this.#length === 0;
  }

  clear(): void {
    this.#unread = NOTHING;
    this.#startLine();
  }

  /** The next answer is the one behind the next 0xFF. */
  waitForSentinel(): void {
    this.#untilSentinel = true;
    this.#startLine();
  }

  /** Hands in what has come. It is read where it lies: the memory is the caller's again after `retain`. */
  push(chunk: Buffer): void {
    this.#unread = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
  }

  /**
   * Keeps what nobody has taken yet in memory of its own.
   *
   * @throws ClientError `too-large`: more than one answer can be
   */
  retain(): void {
    if (this.#unread.length > this.#maxBytes) throw this.#tooLarge();
    if (this.#unread.length > 0) this.#unread = Buffer.from(this.#unread);
  }

  /**
   * The next answer, where it is there as a whole.
   *
   * @throws ClientError `too-large` when a line does not end, `garbage` for one that is no answer
   */
  next(): Reply | undefined {
    for (;;) {
      if (this.#unread.length === 0 || (this.#untilSentinel && !this.#dropToSentinel())) return undefined;
      const end = this.#unread.indexOf(LINE_FEED);
      this.#read(end === -1 ? this.#unread : this.#unread.subarray(0, end));
      this.#unread = end === -1 ? NOTHING : this.#unread.subarray(end + 1);
      if (this.#length > this.#maxBytes) throw this.#tooLarge();
      if (end === -1) return undefined;
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

  #dropToSentinel(): boolean {
    const mark = this.#unread.indexOf(SENTINEL);
    this.#unread = mark === -1 ? NOTHING : this.#unread.subarray(mark + 1);
    this.#untilSentinel = mark === -1;
    return mark !== -1;
  }

  #tooLarge(): ClientError {
    return new ClientError('too-large', `an answer of more than ${this.#maxBytes} bytes`);
  }
}
