// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import { osCode, withContext } from '../errors/agent-error.ts';
import type { OpenFile, Ready } from '../ports/index.ts';
import type { HeldFile } from '../state/file-handles.ts';
import { Base64Piece, PreparedAnswer } from './command.ts';

/** Most bytes that one guest-file-read may ask for: 48 MiB (qemu-ga 11.1). */
export const MAX_READ = 50_331_648n;

/** Bytes read and sent at a time, and so the memory of one read. A multiple of 3: the base64 of pieces can be joined. */
export const CHUNK = 98_304;

/** How far a chunk was filled: short at the end of the file or where an error came in between. */
interface Filled {
  readonly length: number;
  readonly eof: boolean;
  /** For the host only where nothing was read: else it gets the bytes, and the error with the next call. */
  readonly error?: unknown;
}

const spare: Buffer[] = [];
const MOST_SPARE = 4;

const takeChunk = (): Buffer => spare.pop() ?? Buffer.allocUnsafeSlow(CHUNK);
const giveBack = (chunk: Buffer): void => {
  if (spare.length < MOST_SPARE) spare.push(chunk);
};

/**
 * Reads up to `count` bytes. What fits into one chunk, or ends in it, is answered as one text in qemu-ga's order; more is
 * streamed, so that memory stays flat. The file is released when the answer is made, taken or abandoned.
 *
 * @throws AgentError `failed to read file: STRERROR`, where not a single byte came first
 */
export function readFile(held: HeldFile, count: number): Ready<PreparedAnswer> {
  const chunk = takeChunk();
  const settle = (filled: Filled): PreparedAnswer => {
    const more = count - filled.length;
    if (filled.length === CHUNK && more > 0) return new PreparedAnswer(stream(held, chunk, more));
    held.release();
    if (filled.length === 0 && filled.error !== undefined) {
      giveBack(chunk);
      throw withContext('failed to read file', filled.error);
    }
    const [before, after] = [`{"count": ${filled.length}, "buf-b64": "`, `", "eof": ${filled.eof}}`];
    return new PreparedAnswer(new Base64Piece(before, chunk.subarray(0, filled.length), after, () => giveBack(chunk)));
  };
  const filled = fill(held.file, chunk.subarray(0, Math.min(count, CHUNK)));
  return filled instanceof Promise ? filled.then(settle) : settle(filled);
}

/**
 * `full` is full, and `remaining` bytes were asked for beyond it. The next chunk is read while the one before is sent.
 *
 * A hand-made iterator and no generator, because a generator that is asked to return waits for a call that is stuck.
 */
function stream(held: HeldFile, full: Buffer, remaining: number): AsyncIterable<Base64Piece> {
  /** The one that is read into, and the one whose piece was given out last. */
  let next: Buffer = takeChunk();
  let current: Buffer = full;
  let count = CHUNK;
  let left = remaining;
  let first = true;
  let last = false;
  let ended = false;
  let ahead: Ready<Filled> = { length: 0, eof: false };

  const end = (): void => {
    if (ended) return;
    ended = true;
    const free = (): void => {
      giveBack(current);
      giveBack(next);
      held.release();
    };
    // The system may still be writing into the chunk.
    if (ahead instanceof Promise) void ahead.then(free);
    else free();
  };
  const readAhead = (): void => {
    ahead = fill(held.file, next.subarray(0, Math.min(left, CHUNK)));
  };

  const take = async (): Promise<IteratorResult<Base64Piece, undefined>> => {
    if (last) end();
    if (ended) return { done: true, value: undefined };
    if (first) {
      first = false;
      readAhead();
      return { done: false, value: new Base64Piece('{"buf-b64": "', current, '') };
    }
    const { length, eof } = await ahead;
    [current, next] = [next, current];
    count += length;
    left -= length;
    last = left === 0 || length < CHUNK;
    if (last) held.release();
    else readAhead();
    return { done: false, value: new Base64Piece('', current.subarray(0, length), last ? `", "count": ${count}, "eof": ${eof}}` : '') };
  };

  return {
    [Symbol.asyncIterator]: () => ({
      next: take,
      return: () => {
        end();
        return Promise.resolve({ done: true as const, value: undefined });
      },
    }),
  };
}

/**
 * Reads until `into` is full, the file ends, or there is an error. Nothing being there (a FIFO, a terminal) is no error:
 * what came so far is the answer, as qemu-ga 11.1 does not do.
 */
function fill(file: OpenFile, into: Uint8Array): Ready<Filled> {
  let length = 0;
  try {
    while (length < into.length) {
      const got = file.read(length === 0 ? into : into.subarray(length));
      if (typeof got !== 'number') return fillSlowly(file, into, length, got);
      if (got === 0) return { length, eof: true };
      length += got;
    }
  } catch (error) {
    return cut(length, error);
  }
  return { length, eof: false };
}

async function fillSlowly(file: OpenFile, into: Uint8Array, already: number, pending: Promise<number>): Promise<Filled> {
  let length = already;
  try {
    for (let got = await pending; got > 0; got = await file.read(into.subarray(length))) {
      length += got;
      if (length === into.length) return { length, eof: false };
    }
    return { length, eof: true };
  } catch (error) {
    return cut(length, error);
  }
}

const cut = (length: number, error: unknown): Filled =>
  osCode(error) === 'EAGAIN' ? { length, eof: false } : { length, eof: false, error };
