// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import type { RequestParts } from './encode-arguments.ts';

/** Bytes that become base64 at a time: a multiple of 3, and no more text than V8 keeps in its young generation. */
const STRETCH = 48 * 1024;
/** Stretches in one write. */
const STRETCHES = 4;
const ENCODED = (STRETCH / 3) * 4;

/** Most bytes that are made base64 before their request has its turn. */
const MOST_AHEAD = 32 * STRETCH;

/** Memory for one write, and what says that the stream has done with it. */
interface Slot {
  buffer: Buffer | undefined;
  taken: Promise<void> | undefined;
}

/**
 * Writes requests. Short text goes out at once; bytes are made base64 a stretch at a time in memory that is used again and
 * again, as fast as the other side takes them.
 */
export class RequestWriter {
  readonly #stream: Duplex;
  readonly #slots: readonly [Slot, Slot] = [{ buffer: undefined, taken: undefined }, { buffer: undefined, taken: undefined }];
  /** What was made beforehand, and of which bytes. */
  readonly #ahead: Slot = { buffer: undefined, taken: undefined };
  #aheadOf: Uint8Array | undefined;
  #aheadLength = 0;
  /** A socket has copied what it calls written; another stream may have passed it on as it is. */
  readonly #reuses: boolean;

  constructor(stream: Duplex) {
    this.#stream = stream;
    this.#reuses = stream instanceof Socket;
  }

  /** Writes as far as there is room, and hands out what has to be waited for before it goes on. */
  *write(parts: RequestParts): Generator<Promise<void>, void> {
    let text = '';
    for (const part of parts) {
      if (typeof part === 'string') {
        text += part;
        continue;
      }
      if (text !== '') this.#stream.write(text);
      text = '';
      yield* this.#base64(part);
    }
    if (text !== '') this.#stream.write(text);
  }

  /**
   * Makes base64 of bytes beforehand, as far as there is room for it: for a request with these very bytes, while the answer to
   * the one before is waited for.
   */
  prepare(bytes: Uint8Array): void {
    // The last that was made is still on its way out.
    if (this.#ahead.taken !== undefined) return;
    const source = asBuffer(bytes);
    const count = Math.min(source.length, MOST_AHEAD);
    if (!this.#reuses || this.#ahead.buffer === undefined) this.#ahead.buffer = Buffer.allocUnsafeSlow((MOST_AHEAD / STRETCH) * ENCODED);
    this.#aheadLength = encode(source, 0, count, this.#ahead.buffer);
    this.#aheadOf = bytes;
  }

  *#base64(bytes: Uint8Array): Generator<Promise<void>, void> {
    const source = asBuffer(bytes);
    let at = 0;
    if (this.#aheadOf === bytes) {
      yield this.#writeAhead();
      at = Math.min(source.length, MOST_AHEAD);
    }
    for (let turn = 0; at < source.length; turn += 1) {
      const slot = this.#slots[turn % 2 === 0 ? 0 : 1];
      if (slot.taken !== undefined) yield slot.taken;
      slot.buffer = (this.#reuses ? slot.buffer : undefined) ?? Buffer.allocUnsafeSlow(STRETCHES * ENCODED);
      const end = Math.min(at + STRETCHES * STRETCH, source.length);
      const chunk = slot.buffer.subarray(0, encode(source, at, end, slot.buffer));
      at = end;
      slot.taken = new Promise((resolve) => void this.#stream.write(chunk, () => resolve()));
    }
  }

  #writeAhead(): Promise<void> {
    const chunk = this.#ahead.buffer?.subarray(0, this.#aheadLength);
    this.#aheadOf = undefined;
    return (this.#ahead.taken = new Promise((resolve) => {
      this.#stream.write(chunk, () => {
        this.#ahead.taken = undefined;
        resolve();
      });
    }));
  }
}

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Writes base64 of `source[from, to)` and answers its length. */
function encode(source: Buffer, from: number, to: number, into: Buffer): number {
  let length = 0;
  for (let at = from; at < to; at += STRETCH) length += into.write(source.toString('base64', at, Math.min(at + STRETCH, to)), length, 'latin1');
  return length;
}
