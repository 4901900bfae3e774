import { Buffer } from 'node:buffer';

import { SENTINEL } from '../core/protocol/response.ts';
import { ClientError } from './client-error.ts';

const LINE_FEED = 0x0a;

/**
 * Cuts what an agent sends into lines. While it waits for a sentinel everything up to the last 0xFF is dropped: stale
 * answers, error lines about the resynchronisation itself, another client's leftovers.
 */
export class ReplyReader {
  readonly #maxBytes: number;
  #pieces: Buffer[] = [];
  #held = 0;
  #untilSentinel = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Drops what is held and everything that comes before the next 0xFF. */
  waitForSentinel(): void {
    this.#pieces = [];
    this.#held = 0;
    this.#untilSentinel = true;
  }

  /**
   * Complete lines in `chunk` and what was held before, without their line end.
   *
   * @throws ClientError `too-large` when a line does not end
   */
  push(chunk: Buffer): Buffer[] {
    let rest = chunk;
    if (this.#untilSentinel) {
      const mark = rest.indexOf(SENTINEL);
      if (mark === -1) return [];
      this.#untilSentinel = false;
      rest = rest.subarray(mark + 1);
    }
    const lines: Buffer[] = [];
    for (let end = rest.indexOf(LINE_FEED); end !== -1; end = rest.indexOf(LINE_FEED)) {
      this.#hold(rest.subarray(0, end));
      lines.push(this.#pieces.length === 1 ? (this.#pieces[0] ?? Buffer.alloc(0)) : Buffer.concat(this.#pieces, this.#held));
      this.#pieces = [];
      this.#held = 0;
      rest = rest.subarray(end + 1);
    }
    // The chunk belongs to the stream; what outlasts this call is kept as it is (streams hand out fresh buffers).
    if (rest.length > 0) this.#hold(rest);
    return lines;
  }

  #hold(piece: Buffer): void {
    this.#held += piece.length;
    if (this.#held > this.#maxBytes) throw new ClientError('too-large', `an answer of more than ${this.#maxBytes} bytes`);
    this.#pieces.push(piece);
  }
}
