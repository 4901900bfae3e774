import { Buffer } from 'node:buffer';
import { Readable, Writable } from 'node:stream';

import type { CallOptions, GuestClient } from './guest-client.ts';

/**
 * Bytes per request. Base64 of 3 MiB is 4 MiB: below the 10 MiB after which libvirt gives an answer up, and large enough
 * that the round trip does not matter.
 */
export const DEFAULT_PIECE = 3 * 1024 * 1024;

export interface FileOptions extends CallOptions {
  /** Bytes per request, 1 to 48 MiB; more than 7.5 MiB fails through libvirt. */
  readonly pieceBytes?: number;
}

/**
 * The bytes of a file in the guest, read piece by piece as they are wanted. The handle in the guest is closed at the end,
 * after an error, and when the stream is destroyed early.
 */
export function readFile(client: GuestClient, path: string, { pieceBytes = DEFAULT_PIECE, ...call }: FileOptions = {}): Readable {
  async function* pieces(): AsyncGenerator<Buffer> {
    const handle = await client.execute('guest-file-open', { path, mode: 'rb' }, call);
    try {
      for (;;) {
        const answer = await client.execute('guest-file-read', { handle, count: pieceBytes }, call);
        if (answer.count > 0n) yield Buffer.from(answer['buf-b64'], 'base64');
        if (answer.eof) return;
      }
    } finally {
      await client.execute('guest-file-close', { handle }).catch(() => undefined);
    }
  }
  return Readable.from(pieces(), { objectMode: false, highWaterMark: 1 });
}

/**
 * A stream into a file in the guest; `append` adds to the end instead of replacing it. `finish` comes after the guest has
 * closed the file, so that an error of the last piece is not lost.
 */
export function writeFile(client: GuestClient, path: string, { pieceBytes = DEFAULT_PIECE, append = false, ...call }: FileOptions & { readonly append?: boolean } = {}): Writable {
  let handle: bigint | undefined;
  let held: Buffer[] = [];
  let size = 0;

  const send = async (bytes: Buffer): Promise<void> => {
    handle ??= await client.execute('guest-file-open', { path, mode: append ? 'ab' : 'wb' }, call);
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      await client.execute('guest-file-write', { handle, 'buf-b64': bytes.toString('base64', at, Math.min(at + pieceBytes, bytes.length)) }, call);
    }
  };
  const flush = async (): Promise<void> => {
    const bytes = Buffer.concat(held, size);
    held = [];
    size = 0;
    await send(bytes);
  };
  const close = async (): Promise<void> => {
    const open = handle;
    handle = undefined;
    if (open !== undefined) await client.execute('guest-file-close', { handle: open }, call);
  };

  return new Writable({
    highWaterMark: pieceBytes,
    write(chunk: Buffer, _encoding, done) {
      held.push(chunk);
      size += chunk.length;
      if (size < pieceBytes) return done();
      return flush().then(() => done(), done);
    },
    final(done) {
      // Also for an empty stream: the file is there afterwards.
      flush()
        .then(close)
        .then(() => done(), done);
    },
    destroy(error, done) {
      close().then(
        () => done(error),
        () => done(error),
      );
    },
  });
}
