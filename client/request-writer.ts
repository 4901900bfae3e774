import { Buffer } from 'node:buffer';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

import type { RequestParts } from './encode-arguments.ts';

/** Bytes that become base64 at a time: a multiple of 3, and no more text than V8 keeps in its young generation. */
const STRETCH = 48 * 1024;
/** Stretches in one write. */
const STRETCHES = 4;
const ENCODED = (STRETCH / 3) * 4;

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

  *#base64(bytes: Uint8Array): Generator<Promise<void>, void> {
    const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0, turn = 0; at < source.length; turn += 1) {
      const slot = this.#slots[turn % 2 === 0 ? 0 : 1];
      if (slot.taken !== undefined) yield slot.taken;
      slot.buffer = (this.#reuses ? slot.buffer : undefined) ?? Buffer.allocUnsafeSlow(STRETCHES * ENCODED);
      let length = 0;
      for (; length < slot.buffer.length && at < source.length; at += STRETCH) {
        length += slot.buffer.write(source.toString('base64', at, Math.min(at + STRETCH, source.length)), length, 'latin1');
      }
      const chunk = slot.buffer.subarray(0, length);
      slot.taken = new Promise((resolve) => void this.#stream.write(chunk, () => resolve()));
    }
  }
}
