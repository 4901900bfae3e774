// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { Readable, Writable } from 'node:stream';
import { callbackify } from 'node:util';

import { ClientError } from './client-error.ts';
import { GrowingPause } from './growing-pause.ts';
import type { CallOptions, GuestClient } from './guest-client.ts';
import { GuestFile, type FilePiece } from './guest-file.ts';
import { secondsText } from './seconds-text.ts';

export interface FileOptions extends CallOptions {
  /** Bytes per request, 1 to 48 MiB; more than 7.5 MiB fails through libvirt. Default: `pieceBytes` of the client. */
  readonly pieceBytes?: number;
}

export interface PiecesOptions extends FileOptions {
  /** Milliseconds for which the guest may say that there is more and send nothing; absent: for ever, as with a FIFO. */
  readonly silentMs?: number;
}

/** @throws RangeError for what no request can bring */
function pieceOf({ pieceBytes }: FileOptions, usual: number): number {
  if (pieceBytes === undefined) return usual;
  if (!Number.isSafeInteger(pieceBytes) || pieceBytes < 1) throw new RangeError(`pieceBytes should be a whole number from 1 on, not ${pieceBytes}`);
  return pieceBytes;
}

/**
 * The pieces of a file in the guest, one after the other; while one is used, the guest reads the next. The handle in the
 * guest is closed at the end, after an error, and when the walk is left early.
 *
 * @throws ClientError `timeout` after `silentMs`, and those of `GuestFile`
 * @param left aborted where nobody waits for a next piece any more: a FIFO may never have one
 */
export async function* piecesOf(client: GuestClient, path: string, options: PiecesOptions = {}, left?: AbortSignal): AsyncGenerator<FilePiece, void, void> {
  const size = pieceOf(options, client.pieceBytes.read);
  const file = await GuestFile.open(client, path, 'rb', options);
  const pause = new GrowingPause(left === undefined || options.signal === undefined ? left ?? options.signal : AbortSignal.any([left, options.signal]));
  const { silentMs = Number.POSITIVE_INFINITY } = options;
  let silentSince: number | undefined;
  let next = file.read(size, options);
  try {
    for (;;) {
      const piece = await next;
      // A FIFO or a terminal that has nothing to say yet.
      if (piece.length > 0) {
        silentSince = undefined;
        pause.restart();
      } else if (!piece.isLast) {
        silentSince ??= performance.now();
        if (performance.now() - silentSince >= silentMs) throw new ClientError('timeout', `${path}: the guest says that there is more, and has sent nothing for ${secondsText(silentMs)}`);
        await pause.wait(silentMs);
      }
      if (!piece.isLast) next = file.read(size, options);
      // Nobody may be waiting for it when it fails; the next turn does.
      next.catch(() => undefined);
      if (piece.length > 0) yield piece;
      if (piece.isLast) return;
    }
  } finally {
    await next.catch(() => undefined);
    await file.close({}).catch(() => undefined);
  }
}

/**
 * The bytes of a file in the guest, read piece by piece as they are wanted. The handle in the guest is closed at the end,
 * after an error, and when the stream is destroyed early.
 */
export function readFile(client: GuestClient, path: string, options: FileOptions = {}): Readable {
  const left = new AbortController();
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for await (const { bytes } of piecesOf(client, path, options, left.signal)) {
      // Not `yield*`: a stream that is aborted throws into this generator, and an array's iterator cannot be thrown into.
      for (const one of bytes) yield one;
    }
  }
  const stream = Readable.from(chunks(), { objectMode: false, highWaterMark: 1 });
  // A generator hears that it is left between two pieces alone.
  const destroy = stream._destroy.bind(stream);
  stream._destroy = (error, done) => {
    left.abort();
    destroy(error, done);
  };
  return stream;
}

export interface WriteOptions extends FileOptions {
  /** Add to the end instead of replacing what is there. */
  readonly append?: boolean;
}

/** A file that is being written: opened with the first piece, and closed exactly once. */
class FileBeingWritten {
  readonly #open: () => Promise<GuestFile>;
  readonly #call: CallOptions;
  readonly #pieceBytes: number;
  #file: GuestFile | undefined;
  /** One piece that is being filled. */
  #held: Buffer | undefined;
  #size = 0;

  constructor(client: GuestClient, path: string, options: WriteOptions) {
    this.#open = () => GuestFile.open(client, path, options.append === true ? 'ab' : 'wb', options);
    this.#call = options;
    this.#pieceBytes = pieceOf(options, client.pieceBytes.write);
  }

  async add(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      if (this.#size === 0 && chunk.length - at >= this.#pieceBytes) {
        await this.#send(chunk.subarray(at, (at += this.#pieceBytes)));
        continue;
      }
      this.#held ??= Buffer.allocUnsafeSlow(this.#pieceBytes);
      const copied = chunk.copy(this.#held, this.#size, at);
      at += copied;
      this.#size += copied;
      if (this.#size === this.#pieceBytes) await this.#flush();
    }
  }

  /** Also for an empty stream: the file is there afterwards. */
  async finish(): Promise<void> {
    await this.#flush();
    this.#file ??= await this.#open();
    await this.#close(this.#call);
  }

  /** Gives the handle back, whatever became of the contents: also when the call itself was given up. */
  async abandon(): Promise<void> {
    await this.#close({}).catch(() => undefined);
  }

  async #flush(): Promise<void> {
    const size = this.#size;
    this.#size = 0;
    if (size > 0 && this.#held !== undefined) await this.#send(this.#held.subarray(0, size));
  }

  async #send(bytes: Uint8Array): Promise<void> {
    this.#file ??= await this.#open();
    await this.#file.write(bytes, this.#call);
  }

  async #close(call: CallOptions): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close(call);
  }
}

/**
 * A stream into a file in the guest. `finish` comes after the guest has closed the file, so that an error of the last
 * piece is not lost.
 */
export function writeFile(client: GuestClient, path: string, options: WriteOptions = {}): Writable {
  const file = new FileBeingWritten(client, path, options);
  return new Writable({
    highWaterMark: options.pieceBytes ?? client.pieceBytes.write,
    write: callbackify((chunk: Buffer, _encoding: BufferEncoding) => file.add(chunk)),
    final: callbackify(() => file.finish()),
    destroy: callbackify(async (error: Error | null) => {
      await file.abandon();
      if (error !== null) throw error;
    }),
  });
}
