import { Buffer } from 'node:buffer';
import { Readable, Writable } from 'node:stream';
import { callbackify } from 'node:util';

import type { CallOptions, GuestClient, Output } from './guest-client.ts';

/**
 * Bytes per request. Base64 of 1.5 MiB is 2 MiB: below the 10 MiB after which libvirt gives an answer up, and large enough
 * that the round trip does not matter.
 */
export const DEFAULT_PIECE = 1.5 * 1024 * 1024;

export interface FileOptions extends CallOptions {
  /** Bytes per request, 1 to 48 MiB; more than 7.5 MiB fails through libvirt. */
  readonly pieceBytes?: number;
}

/** An open that was given up would leave a handle in the guest that nobody knows. */
const toTheEnd = ({ timeoutMs }: CallOptions): CallOptions => (timeoutMs === undefined ? {} : { timeoutMs });

/**
 * The bytes of a file in the guest, read piece by piece as they are wanted. The handle in the guest is closed at the end,
 * after an error, and when the stream is destroyed early.
 */
export function readFile(client: GuestClient, path: string, { pieceBytes = DEFAULT_PIECE, ...call }: FileOptions = {}): Readable {
  async function* pieces(): AsyncGenerator<Buffer> {
    const handle = await client.execute('guest-file-open', { path, mode: 'rb' }, toTheEnd(call));
    const ask = (): Promise<Output<'guest-file-read'>> => client.execute('guest-file-read', { handle, count: pieceBytes }, call);
    let next = ask();
    try {
      for (;;) {
        const answer = await next;
        // The guest reads the next piece while this one is decoded and used.
        if (!answer.eof) next = ask();
        if (answer.count > 0n) yield Buffer.from(answer['buf-b64'], 'base64');
        if (answer.eof) return;
      }
    } finally {
      await next.catch(() => undefined);
      await client.execute('guest-file-close', { handle }).catch(() => undefined);
    }
  }
  return Readable.from(pieces(), { objectMode: false, highWaterMark: 1 });
}

export interface WriteOptions extends FileOptions {
  /** Add to the end instead of replacing what is there. */
  readonly append?: boolean;
}

/** A file that is being written: opened with the first piece, and closed exactly once. */
class FileBeingWritten {
  readonly #client: GuestClient;
  readonly #path: string;
  readonly #mode: 'ab' | 'wb';
  readonly #pieceBytes: number;
  readonly #call: CallOptions;
  #handle: bigint | undefined;
  #held: Buffer[] = [];
  #size = 0;

  constructor(client: GuestClient, path: string, { pieceBytes = DEFAULT_PIECE, append = false, ...call }: WriteOptions) {
    this.#client = client;
    this.#path = path;
    this.#mode = append ? 'ab' : 'wb';
    this.#pieceBytes = pieceBytes;
    this.#call = call;
  }

  async add(chunk: Buffer): Promise<void> {
    this.#held.push(chunk);
    this.#size += chunk.length;
    if (this.#size >= this.#pieceBytes) await this.#flush();
  }

  /** Also for an empty stream: the file is there afterwards. */
  async finish(): Promise<void> {
    await this.#flush();
    await this.#close(this.#call);
  }

  /** Gives the handle back, whatever became of the contents: also when the call itself was given up. */
  async abandon(): Promise<void> {
    await this.#close({}).catch(() => undefined);
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.concat(this.#held, this.#size);
    this.#held = [];
    this.#size = 0;
    this.#handle ??= await this.#client.execute('guest-file-open', { path: this.#path, mode: this.#mode }, toTheEnd(this.#call));
    for (let at = 0; at < bytes.length; at += this.#pieceBytes) {
      const text = bytes.toString('base64', at, Math.min(at + this.#pieceBytes, bytes.length));
      await this.#client.execute('guest-file-write', { handle: this.#handle, 'buf-b64': text }, this.#call);
    }
  }

  async #close(call: CallOptions): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    if (handle !== undefined) await this.#client.execute('guest-file-close', { handle }, call);
  }
}

/**
 * A stream into a file in the guest. `finish` comes after the guest has closed the file, so that an error of the last
 * piece is not lost.
 */
export function writeFile(client: GuestClient, path: string, options: WriteOptions = {}): Writable {
  const file = new FileBeingWritten(client, path, options);
  return new Writable({
    highWaterMark: options.pieceBytes ?? DEFAULT_PIECE,
    write: callbackify((chunk: Buffer, _encoding: BufferEncoding) => file.add(chunk)),
    final: callbackify(() => file.finish()),
    destroy: callbackify(async (error: Error | null) => {
      await file.abandon();
      if (error !== null) throw error;
    }),
  });
}
