import { Buffer } from 'node:buffer';

import { SENTINEL } from '../core/protocol/response.ts';
import { ClientError } from './client-error.ts';

const LINE_FEED = 0x0a;

/**
 * Cuts what an agent sends into lines, which are taken one at a time. While it waits for a sentinel everything before a
 * 0xFF is dropped: stale answers, error lines about the resynchronisation itself, another client's leftovers.
 */
export class ReplyReader {
  readonly #maxBytes: number;
  /** What has come and was not taken, in order; only the last piece is searched again. */
  #pieces: Buffer[] = [];
  #held = 0;
  /** Pieces before this one have no line feed. */
  #searched = 0;
  #untilSentinel = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Whether something has come that nobody took. */
  get isEmpty(): boolean {
    return this.#held === 0;
  }

  clear(): void {
    this.#pieces = [];
    this.#held = 0;
    this.#searched = 0;
  }

  /** The next line is the one behind the next 0xFF. */
  waitForSentinel(): void {
    this.#untilSentinel = true;
    this.#searched = 0;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#pieces.push(chunk);
    this.#held += chunk.length;
  }

  /**
   * The next complete line without its line end, where there is one.
   *
   * @throws ClientError `too-large` when a line does not end
   */
  next(): Buffer | undefined {
    if (this.#untilSentinel && !this.#dropToSentinel()) return undefined;
    for (; this.#searched < this.#pieces.length; this.#searched += 1) {
      const end = this.#pieces[this.#searched]?.indexOf(LINE_FEED) ?? -1;
      if (end !== -1) return this.#take(end);
    }
    if (this.#held > this.#maxBytes) throw new ClientError('too-large', `an answer of more than ${this.#maxBytes} bytes`);
    return undefined;
  }

  /** Cuts the line off that ends at `end` of the piece that was searched last. */
  #take(end: number): Buffer {
    const last = this.#pieces[this.#searched] ?? Buffer.alloc(0);
    const parts = [...this.#pieces.slice(0, this.#searched), last.subarray(0, end)];
    const rest = last.subarray(end + 1);
    this.#pieces = [...(rest.length === 0 ? [] : [rest]), ...this.#pieces.slice(this.#searched + 1)];
    this.#searched = 0;
    const line = parts.length === 1 ? last.subarray(0, end) : Buffer.concat(parts);
    this.#held -= line.length + 1;
    if (line.length > this.#maxBytes) throw new ClientError('too-large', `an answer of ${line.length} bytes, more than ${this.#maxBytes}`);
    return line;
  }

  #dropToSentinel(): boolean {
    for (let piece = this.#pieces.shift(); piece !== undefined; piece = this.#pieces.shift()) {
      this.#held -= piece.length;
      const mark = piece.indexOf(SENTINEL);
      if (mark === -1) continue;
      const rest = piece.subarray(mark + 1);
      this.#untilSentinel = false;
      if (rest.length > 0) this.#pieces.unshift(rest);
      this.#held += rest.length;
      return true;
    }
    return false;
  }
}
