// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

/** Most bytes that are kept of one stream of one process; what comes after is dropped (qemu-ga 11.1). */
export const MAX_OUTPUT = 16 * 1024 * 1024;

/** Sizes of pieces: multiples of 3, so that the base64 of pieces can be joined. They double up to the largest. */
const SMALLEST_PIECE = 3 * 1024;
const LARGEST_PIECE = 192 * 1024;

/** How many bytes all processes together may still keep. */
export interface OutputBudget {
  /** Takes up to `bytes` of it and answers how many. */
  take(bytes: number): number;
}

/**
 * What a process wrote to one of its streams: the first 16 MiB. It is copied into pieces of our own, because a process that
 * writes byte by byte would otherwise keep millions of buffers.
 */
export class CapturedOutput {
  readonly #budget: OutputBudget;
  readonly #pieces: Buffer[] = [];
  #last: Buffer | undefined;
  #usedOfLast = 0;
  #length = 0;
  #truncated = false;

  constructor(budget: OutputBudget) {
    this.#budget = budget;
  }

  /** Bytes kept. */
  get length(): number {
    return this.#length;
  }

  /** Whether more was written than is kept. */
  get truncated(): boolean {
    return this.#truncated;
  }

  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const room = this.#truncated ? 0 : this.#budget.take(Math.min(bytes.length, MAX_OUTPUT - this.#length));
    if (room < bytes.length) this.#truncated = true;
    for (let at = 0; at < room; ) {
      const piece = this.#pieceWithRoom();
      const size = Math.min(room - at, piece.length - this.#usedOfLast);
      piece.set(bytes.subarray(at, at + size), this.#usedOfLast);
      this.#usedOfLast += size;
      at += size;
    }
    this.#length += room;
  }

  /** What is kept, in pieces of at most 192 KiB, all but the last of a multiple of 3 bytes: their base64 can be joined. */
  *pieces(): Generator<Uint8Array> {
    for (const piece of this.#pieces) yield piece === this.#last ? piece.subarray(0, this.#usedOfLast) : piece;
  }

  #pieceWithRoom(): Buffer {
    if (this.#last !== undefined && this.#usedOfLast < this.#last.length) return this.#last;
    const size = this.#last === undefined ? SMALLEST_PIECE : Math.min(this.#last.length * 2, LARGEST_PIECE);
    this.#last = Buffer.allocUnsafeSlow(size);
    this.#usedOfLast = 0;
    this.#pieces.push(this.#last);
    return this.#last;
  }
}
