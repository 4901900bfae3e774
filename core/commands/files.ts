// SPDX-License-Identifier: Apache-2.0
import { AgentError, messageOf, withContext } from '../errors/agent-error.ts';
import type { OpenFile, OpenMode, Place, Ready, Whence } from '../ports/index.ts';
import {
  guestFileClose, guestFileFlush, guestFileOpen, guestFileRead, guestFileSeek, guestFileWrite,
} from '../schema/files.ts';
import { type Base64Text, forgetSpare } from '../schema/types.ts';
import { type Base64Argument, decodePieces } from './base64.ts';
import { handler } from './command.ts';
import { MAX_READ, readFile } from './file-read.ts';

const mode = (letters: string): OpenMode => ({
  read: letters.startsWith('r') || letters.includes('+'),
  write: !letters.startsWith('r') || letters.includes('+'),
  append: letters.startsWith('a'),
  create: !letters.startsWith('r'),
  truncate: letters.startsWith('w'),
});

/** Exactly these spellings: fopen(3) has more, qemu-ga 11.1 hasn't. */
export const openModes: ReadonlyMap<string, OpenMode> = new Map(
  ['r', 'w', 'a'].flatMap((letter) =>
    [letter, `${letter}b`, `${letter}+`, `${letter}b+`, `${letter}+b`].map((spelling) => [spelling, mode(spelling)] as const)),
);

export const fileOpen = handler(guestFileOpen, async ({ files, log, admission }, { path, mode: spelling = 'r' }) => {
  log.account(() => `guest-file-open called, filepath: ${path}, mode: ${spelling}`);
  const openMode = openModes.get(spelling);
  if (openMode === undefined) throw AgentError.failed(`invalid file open mode '${spelling}'`);
  const attempt = `failed to open file '${path}' (mode: '${spelling}')`;
  // For the system a path ends at a zero byte: it would be another file than the host named.
  if (path.includes('\0')) throw AgentError.failed(`${attempt}: the path has a zero byte`);
  try {
    const admit = admission && ((place: Place) => admission({ file: { ...place, read: openMode.read, write: openMode.write } }));
    const handle = await files.open(path, openMode, admit);
    log.account(() => `guest-file-open, handle: ${handle}`);
    return handle;
  } catch (error) {
    throw withContext(attempt, error);
  }
}, ({ files, log }, handle) => {
  log.info(() => `the host that asked for handle ${handle} has left without it: it is closed`);
  files.close(BigInt(handle)).catch((error: unknown) => log.info(() => messageOf(withContext(`failed to close handle ${handle}`, error))));
});

export const fileClose = handler(guestFileClose, async ({ files, log }, { handle }) => {
  log.account(() => `guest-file-close called, handle: ${handle}`);
  try {
    await files.close(handle);
  } catch (error) {
    throw withContext('failed to close handle', error);
  } finally {
    // Nobody is about to write more: an idle agent keeps no memory for that.
    if (files.size === 0) forgetSpare();
  }
});

export const fileRead = handler(guestFileRead, ({ files }, { handle, count = 4096n }) => {
  if (count < 0n || count > MAX_READ) {
    return files.use(handle, () => {
      throw invalidCount(count);
    });
  }
  const held = files.hold(handle);
  return held instanceof Promise ? held.then((mine) => readFile(mine, Number(count))) : readFile(held, Number(count));
});

export const fileWrite = handler(guestFileWrite, ({ files }, { handle, 'buf-b64': given, count }) => {
  const text: Base64Argument = given;
  return files.use(handle, (file) => {
    const pieces = decodePieces(text);
    const all = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (count !== undefined && (count < 0n || count > BigInt(all))) throw invalidCount(count);
    const length = count === undefined ? all : Number(count);
    const answer = { count: length, eof: false };
    const write = (): Ready<void> => writeInTurn(file, firstBytes(pieces, length));
    return calling('failed to write to file', typeof text === 'string' ? write : () => releasing(text, write), () => answer);
  });
});

/** The first `length` bytes, in pieces; of nothing there is no piece. */
function firstBytes(pieces: readonly Uint8Array[], length: number): readonly Uint8Array[] {
  const kept: Uint8Array[] = [];
  let left = length;
  for (const piece of pieces) {
    if (left === 0) break;
    const part = piece.subarray(0, left);
    kept.push(part);
    left -= part.length;
  }
  return kept;
}

/** Nothing to write is no error, not even for a file that can only be read. */
function writeInTurn(file: OpenFile, pieces: readonly Uint8Array[], from = 0): Ready<void> {
  for (let at = from; at < pieces.length; at += 1) {
    const written = file.write(pieces[at] as Uint8Array);
    if (written instanceof Promise) return written.then(() => writeInTurn(file, pieces, at + 1));
  }
}

async function releasing(text: Base64Text, write: () => Ready<void>): Promise<void> {
  try {
    await write();
  } finally {
    text.release();
  }
}

const whences: Readonly<Record<string, Whence>> = { set: 'set', 0: 'set', cur: 'cur', 1: 'cur', end: 'end', 2: 'end' };

export const fileSeek = handler(guestFileSeek, ({ files }, { handle, offset, whence }) =>
  files.use(handle, (file) => {
    const from = whences[String(whence)];
    if (from === undefined) throw AgentError.failed(`invalid whence code ${whence}`);
    return calling('failed to seek file', () => file.seek(offset, from), (position) => ({ position, eof: false }));
  }));

export const fileFlush = handler(guestFileFlush, ({ files }, { handle }) =>
  files.use(handle, (file) => calling('failed to flush file', () => file.flush(), () => undefined)));

/** Makes a call that may be done at once, and puts what was attempted in front of what the system says of it. */
function calling<T, U>(text: string, call: () => T | Promise<T>, then: (value: T) => U): U | Promise<U> {
  try {
    const result = call();
    if (!(result instanceof Promise)) return then(result);
    return result.then(then, (error: unknown) => {
      throw withContext(text, error);
    });
  } catch (error) {
    throw withContext(text, error);
  }
}

const invalidCount = (count: bigint): AgentError => AgentError.failed(`value '${count}' is invalid for argument count`);
