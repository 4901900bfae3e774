// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

/**
 * Sizes of the first piece and of those behind it: multiples of 3, so that the base64 of pieces can be joined. What a copy
 * brings at a time fits into two, for each piece is written by a call of its own.
 */
const FIRST_PIECE = 96 * 1024;
const NEXT_PIECE = 1536 * 1024;

/** Room behind each piece for what the end of the text stands for. */
const SLACK = 6;

/** Of the text so far the last group is not looked at before the next is there: it may be the one with the padding. */
const HELD_BACK = 4;

/** Characters that are decoded at a time: longer texts would get memory of their own from the system. */
const STRETCH = 32 * 1024;

const alphabetOnly = /^[A-Za-z0-9+/=]*$/;

/**
 * A piece of each size of texts that were released, for the next one. A copy would otherwise have the system clear new pages for
 * every byte of it, which takes longer than to decode them.
 */
const spare = new Map<number, Buffer>();

function takePiece(size: number): Buffer {
  const piece = spare.get(size);
  spare.delete(size);
  return piece ?? Buffer.allocUnsafeSlow(size);
}

/** Gives memory back at once, where it would otherwise wait for a garbage collection, as it does on Node 20: a host may have that. */
function free(piece: Buffer): void {
  (piece.buffer as { readonly transfer?: (length: number) => unknown }).transfer?.(0);
}

/** Gives back what released texts have left for the next: none is expected soon. */
export function forgetSpare(): void {
  for (const piece of spare.values()) free(piece);
  spare.clear();
}

/**
 * A long JSON string of base64, as the bytes that it stands for: a write of 16 MiB would otherwise be held as text of
 * 22 MiB first, and copied whole several times. Only a decoder that was told to makes one.
 */
export class Base64Text {
  readonly #pieces: Buffer[];
  /** Bytes in the last piece; the others are full. */
  #lastLength: number;
  /** Up to seven characters of the alphabet or `=` that are not among the pieces. */
  readonly tail: string;

  constructor(pieces: Buffer[], lastLength: number, tail: string) {
    this.#pieces = pieces;
    this.#lastLength = lastLength;
    this.tail = tail;
  }

  /** Bytes that it stands for, up to two more where it ends in padding. */
  get size(): number {
    const whole = this.#pieces.slice(0, -1).reduce((sum, piece) => sum + piece.length - SLACK, this.#lastLength);
    return whole + Math.floor((this.tail.length * 3) / 4);
  }

  /** The bytes, with `end` behind them: what `tail` stands for, at most six. To be called once, until `release`. */
  bytesWith(end: Uint8Array): Uint8Array[] {
    const last = this.#pieces.at(-1);
    if (last === undefined) return [end];
    last.set(end, this.#lastLength);
    const length = this.#lastLength + end.length;
    return this.#pieces.map((piece) => piece.subarray(0, piece === last ? length : piece.length - SLACK));
  }

  /** Gives the memory to the next text, or back to the system. The bytes are gone. */
  release(): void {
    for (const piece of this.#pieces.splice(0)) {
      if (spare.has(piece.length)) free(piece);
      else spare.set(piece.length, piece);
    }
    this.#lastLength = 0;
  }

  /** The text as it was sent. */
  toString(): string {
    const texts = this.#pieces.map((piece, index) =>
      piece.toString('base64', 0, index === this.#pieces.length - 1 ? this.#lastLength : piece.length - SLACK));
    return texts.join('') + this.tail;
  }
}

/**
 * Decodes base64 while it arrives. As long as it is nothing but whole groups of the standard alphabet, with padding at the
 * very end at most, the text can be made again from the bytes, so that nothing is lost when it turns out to be something else.
 */
export class Base64Collector {
  #pieces: Buffer[] = [];
  /** Of the last piece. */
  #length = 0;
  #held = '';

  /** Adds `chunk[from, to)`, copying it. False: it is no such text, and nothing of this stretch was taken. */
  append(chunk: Buffer, from: number, to: number): boolean {
    const held = this.#held;
    const total = held.length + to - from;
    const usable = total < 2 * HELD_BACK ? 0 : (total - HELD_BACK) & ~3;
    const end = from + usable - held.length;
    const [pieces, length] = [this.#pieces.length, this.#length];
    // Nothing of a short stretch may be usable, or only what is held.
    const start = end <= from ? to : from + (-held.length & 3);
    const head = held + chunk.toString('latin1', from, start);
    const rest = end <= from ? head.slice(usable) : chunk.toString('latin1', end, to);
    if (alphabetOnly.test(rest) && this.#decode(end <= from ? head.slice(0, usable) : head) && this.#decodeRange(chunk, start, end)) {
      this.#held = rest;
      return true;
    }
    this.#pieces.length = pieces;
    this.#length = length;
    return false;
  }

  #decodeRange(chunk: Buffer, from: number, to: number): boolean {
    for (let at = from; at < to; ) {
      const next = Math.min(to, at + (this.#room() / 3) * 4, at + STRETCH);
      if (!this.#decode(chunk.toString('latin1', at, next))) return false;
      at = next;
    }
    return true;
  }

  /** Whole groups. */
  #decode(text: string): boolean {
    if (text === '') return true;
    const fitting = (this.#room() / 3) * 4;
    if (text.length > fitting) return this.#decode(text.slice(0, fitting)) && this.#decode(text.slice(fitting));
    const piece = this.#pieces.at(-1);
    const length = (text.length / 4) * 3;
    // The platform's decoder passes over what it does not know, and knows the URL-safe alphabet, which we don't.
    if (piece?.write(text, this.#length, 'base64') !== length || text.includes('-') || text.includes('_')) return false;
    this.#length += length;
    return true;
  }

  /** Bytes that still fit into the last piece, which is a new one where the one before is full. */
  #room(): number {
    const last = this.#pieces.at(-1);
    if (last !== undefined && this.#length < last.length - SLACK) return last.length - SLACK - this.#length;
    const size = last === undefined ? FIRST_PIECE : NEXT_PIECE;
    this.#pieces.push(takePiece(size + SLACK));
    this.#length = 0;
    return size;
  }

  reset(): void {
    this.#pieces = [];
    this.#length = 0;
    this.#held = '';
  }

  /** The text, which ends here. The collector is as new. */
  finish(): Base64Text {
    const text = new Base64Text(this.#pieces, this.#length, this.#held);
    this.reset();
    return text;
  }
}
