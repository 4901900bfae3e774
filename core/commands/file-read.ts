import { Buffer } from 'node:buffer';

import { osCode, withContext } from '../errors/agent-error.ts';
import type { OpenFile, Ready } from '../ports/index.ts';
import type { HeldFile } from '../state/file-handles.ts';
import { PreparedAnswer } from './command.ts';

/** Most bytes that one guest-file-read may ask for: 48 MiB (qemu-ga 10.2). */
export const MAX_READ = 50_331_648n;

/** Bytes read and sent at a time, and so the memory of one read. A multiple of 3: the base64 of pieces can be joined. */
export const CHUNK = 196_608;

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
    const text = chunk.toString('base64', 0, filled.length);
    giveBack(chunk);
    held.release();
    if (filled.length === 0 && filled.error !== undefined) throw withContext('failed to read file', filled.error);
    return new PreparedAnswer(`{"count": ${filled.length}, "buf-b64": "${text}", "eof": ${filled.eof}}`);
  };
  const filled = fill(held.file, chunk.subarray(0, Math.min(count, CHUNK)));
  return filled instanceof Promise ? filled.then(settle) : settle(filled);
}

/**
 * `chunk` is full, and `remaining` bytes were asked for beyond it. The next chunk is read while the one before is taken:
 * its text is made first, so that one buffer is enough.
 *
 * A hand-made iterator and no generator, because a generator that is asked to return waits for a call that is stuck.
 */
function stream(held: HeldFile, chunk: Buffer, remaining: number): AsyncIterable<string> {
  let count = CHUNK;
  let left = remaining;
  let first = true;
  let ended = false;
  let ahead: Ready<Filled> | undefined;

  const end = (): void => {
    if (ended) return;
    ended = true;
    const free = (): void => {
      giveBack(chunk);
      held.release();
    };
    // The system may still be writing into the chunk.
    if (ahead instanceof Promise) void ahead.then(free);
    else free();
  };
  const readAhead = (): void => {
    ahead = fill(held.file, chunk.subarray(0, Math.min(left, CHUNK)));
  };

  const next = async (): Promise<IteratorResult<string, undefined>> => {
    if (ended) return { done: true, value: undefined };
    if (first) {
      first = false;
      const text = `{"buf-b64": "${chunk.toString('base64')}`;
      readAhead();
      return { done: false, value: text };
    }
    const filled = (await ahead) ?? { length: 0, eof: false };
    ahead = undefined;
    count += filled.length;
    left -= filled.length;
    const text = chunk.toString('base64', 0, filled.length);
    if (left > 0 && filled.length === CHUNK) {
      readAhead();
      return { done: false, value: text };
    }
    end();
    return { done: false, value: `${text}", "count": ${count}, "eof": ${filled.eof}}` };
  };

  return {
    [Symbol.asyncIterator]: () => ({
      next,
      return: () => {
        end();
        return Promise.resolve({ done: true as const, value: undefined });
      },
    }),
  };
}

/**
 * Reads until `into` is full, the file ends, or there is an error. Nothing being there (a FIFO, a terminal) is no error:
 * what came so far is the answer, as qemu-ga 10.2 does not do.
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
