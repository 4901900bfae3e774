// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { open, stat, type FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { harmlessLines } from '../../../core/errors/harmless-text.ts';
import { ClientError } from '../../client-error.ts';
import { piecesOf, writeFile } from '../../files.ts';
import { GuestFile, type FilePiece } from '../../guest-file.ts';
import type { GuestClient } from '../../guest-client.ts';
import { jsonText } from '../print-json.ts';
import { Progress } from '../progress.ts';
import { openPlace, type FileToBe } from '../file-to-be.ts';
import { MostBytes } from '../most-bytes.ts';
import { onPath } from '../on-path.ts';
import type { RunSubcommand, SubcommandContext } from '../terminal.ts';
import { untilSignal } from '../signals.ts';
import { UsageError } from '../usage-error.ts';

const prefix = 'guest:';

/** Is told how many bytes have been moved. */
type Moved = (bytes: number) => void;

interface Copy {
  /** Bytes; unknown for a pipe, and for what only looks like a file. */
  readonly size: number | undefined;
  readonly run: (moved: Moved) => Promise<void>;
}

export const run: RunSubcommand = async (context) => {
  const [from, to, ...more] = context.words;
  if (from === undefined || to === undefined || more.length > 0) throw new UsageError('say what and whereto: cp guest:PATH PATH, or cp PATH guest:PATH (- is standard input or output)');
  const fromGuest = from.startsWith(prefix);
  if (fromGuest === to.startsWith(prefix)) throw new UsageError(`exactly one side is in the guest: write it ${prefix}PATH`);
  if (context.flags.has('mode') && (!fromGuest || to === '-')) throw new UsageError('--mode is for a file here: the protocol cannot set that of one in the guest');
  if (context.flags.has('max-size') && !fromGuest) throw new UsageError('--max-size is for what comes from the guest');
  if (context.json && to === '-') throw new UsageError('--json and the contents of the file cannot both go to standard output');
  const isTree = context.flags.has('recursive') && (fromGuest || (await isDirectory(from)));
  if (!isTree) return await untilSignal(context.signals ?? process, (signal) => copyUntil(signal, context, from, to, fromGuest));
  if (to === '-' || context.flags.has('mode')) throw new UsageError('a folder is copied to a folder, with the modes that are in it');
  return await untilSignal(context.signals ?? process, (signal) => copyTree(signal, context, from, to, fromGuest));
};

async function copyUntil(signal: AbortSignal, context: SubcommandContext, from: string, to: string, fromGuest: boolean): Promise<number> {
  const copy = fromGuest ? await download(context, from.slice(prefix.length), to, signal) : await upload(context, from, to.slice(prefix.length), signal);
  const progress = context.isWatched ? new Progress(context.stderr, fromGuest ? from : to, copy.size) : undefined;
  let bytes = 0;
  try {
    await copy.run((moved) => {
      bytes += moved;
      progress?.moved(moved);
    });
  } finally {
    progress?.done();
  }
  if (context.json) context.print(`${jsonText({ from, to, bytes })}\n`);
  return 0;
}

async function copyTree(signal: AbortSignal, context: SubcommandContext, from: string, to: string, fromGuest: boolean): Promise<number> {
  const { downloadTree, uploadTree } = await import('../copy-tree.ts');
  const progress = context.isWatched ? new Progress(context.stderr, fromGuest ? from : to, undefined) : undefined;
  let bytes = 0;
  const moved = (count: number): void => {
    bytes += count;
    progress?.moved(count);
  };
  try {
    const { isWhole } = fromGuest ? await downloadTree(context, from.slice(prefix.length), to, signal, moved, mostOf(context)) : await uploadTree(context, from, to.slice(prefix.length), signal, moved);
    if (context.json) context.print(`${jsonText({ from, to, bytes, whole: isWhole })}\n`);
    return isWhole ? 0 : 1;
  } finally {
    progress?.done();
  }
}

/** `--mode` as a number. @throws UsageError */
function modeOf({ flags }: SubcommandContext): number | undefined {
  const text = flags.get('mode');
  if (text === undefined) return undefined;
  if (!/^[0-7]{3,4}$/.test(text)) throw new UsageError(`--mode is three or four octal digits, not '${text}'`);
  return Number.parseInt(text, 8);
}

async function download(context: SubcommandContext, path: string, to: string, signal: AbortSignal): Promise<Copy> {
  const { client, flags, stdout, isWatched, isScreen = false } = context;
  const mode = modeOf(context);
  if (path === '') throw new UsageError(`write which file: ${prefix}PATH`);
  const size = isWatched ? await sizeInGuest(client, path) : undefined;
  // A guest that says for ever that there is more must not keep a script for ever.
  const timeout = flags.get('timeout');
  const silentMs = timeout === undefined ? 5_000 : Number(timeout) * 1000;
  const most = mostOf(context);
  const all = hintingAtFolders(piecesOf(client, path, { signal, ...(silentMs > 0 ? { silentMs } : {}) }));
  const pieces = most === undefined ? all : upTo(most, all);
  if (to === '-') return { size, run: (moved) => toStream(pieces, stdout, isScreen, moved) };
  // Nothing is truncated here before the guest has opened the file and read from it.
  const first = await pieces.next();
  const name = path.split(/[/\\]/).at(-1) ?? path;
  let sink: FileToBe;
  try {
    sink = await onPath(to, 'written', openPlace((await isDirectory(to)) ? join(to, name) : to, mode, context));
  } catch (error) {
    await pieces.return();
    throw error;
  }
  return { size, run: (moved) => toFile(first, pieces, sink, to, moved) };
}

/** `--max-size`. @throws UsageError */
function mostOf({ flags }: SubcommandContext): MostBytes | undefined {
  const given = flags.get('max-size');
  return given === undefined ? undefined : new MostBytes(given);
}

async function* upTo(most: MostBytes, pieces: AsyncGenerator<FilePiece, void, void>): AsyncGenerator<FilePiece, void, void> {
  for await (const piece of pieces) {
    most.take(piece.length);
    yield piece;
  }
}

/** Agents pass on what read(2) says of a folder. */
async function* hintingAtFolders(pieces: AsyncGenerator<FilePiece, void, void>): AsyncGenerator<FilePiece, void, void> {
  try {
    yield* pieces;
  } catch (error) {
    if (!ClientError.is(error) || error.kind !== 'refused' || !error.message.endsWith(': Is a directory')) throw error;
    throw new ClientError('refused', `${error.message}: say -r to copy all that is in it`, { cause: error });
  }
}

async function toFile(first: IteratorResult<FilePiece, void>, pieces: AsyncGenerator<FilePiece, void, void>, sink: FileToBe, to: string, moved: Moved): Promise<void> {
  try {
    for (let piece = first; piece.done !== true; piece = await pieces.next()) {
      await onPath(to, 'written', writeAll(sink.handle, piece.value.bytes));
      moved(piece.value.length);
      piece.value.release();
    }
    await onPath(to, 'written', sink.keep());
  } finally {
    await pieces.return();
    await sink.close();
  }
}

/** One writev(2) may take less than it was given. */
async function writeAll(sink: FileHandle, pieces: readonly Uint8Array[]): Promise<void> {
  for (let rest = pieces; rest.length > 0; ) {
    let { bytesWritten: taken } = await sink.writev(rest);
    rest = rest.flatMap((piece) => {
      const skipped = Math.min(taken, piece.length);
      taken -= skipped;
      return skipped === piece.length ? [] : [piece.subarray(skipped)];
    });
  }
}

/** Standard output is not ours to close. A terminal would obey what is in the bytes. */
async function toStream(pieces: AsyncGenerator<FilePiece, void, void>, sink: Writable, isScreen: boolean, moved: Moved): Promise<void> {
  const write = (data: Uint8Array | string): Promise<void> =>
    new Promise((resolve, reject) => void sink.write(data, (error) => (error == null ? resolve() : reject(error))));
  const decoder = new StringDecoder('utf8');
  for await (const piece of pieces) {
    for (const bytes of piece.bytes) await write(isScreen ? harmlessLines(decoder.write(Buffer.from(bytes))) : bytes);
    moved(piece.length);
    piece.release();
  }
  if (isScreen) await write(harmlessLines(decoder.end()));
}

async function upload({ client, stdin }: SubcommandContext, from: string, to: string, signal: AbortSignal): Promise<Copy> {
  if (from === '-') {
    if (to === '' || to.endsWith('/')) throw new UsageError('say what the file is to be called in the guest');
    return { size: undefined, run: (moved) => fromStream(stdin, writeFile(client, to, { signal }), moved, signal) };
  }
  const path = to === '' || to.endsWith('/') ? `${to}${basename(from)}` : to;
  const source = await onPath(from, 'read', open(from, 'r'));
  try {
    const facts = await source.stat();
    if (facts.isDirectory()) throw new UsageError(`${from} is a directory: say -r to copy all that is in it`);
    // Read before the guest is told anything: what cannot be read here empties no file there.
    const reader = new FileReader(source, client.pieceBytes.write);
    const first = await onPath(from, 'read', reader.next());
    return { size: facts.size === 0 ? undefined : facts.size, run: (moved) => fromFile(first, reader, client, path, moved, signal) };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Reads a file ahead by one piece, into two pieces of memory in turn. */
class FileReader {
  readonly #source: FileHandle;
  readonly #memory: readonly [Buffer, Buffer];
  #turn = 0;
  #last: Promise<Buffer> | undefined;

  constructor(source: FileHandle, pieceBytes: number) {
    this.#source = source;
    this.#memory = [Buffer.allocUnsafeSlow(pieceBytes), Buffer.allocUnsafeSlow(pieceBytes)];
  }

  /** As much as there is, up to a piece; nothing at the end. Valid until the call after the next. It may reject unheard. */
  next(): Promise<Buffer> {
    this.#last = this.#last === undefined ? this.#read() : this.#last.then(() => this.#read());
    this.#last.catch(() => undefined);
    return this.#last;
  }

  async #read(): Promise<Buffer> {
    const memory = this.#memory[this.#turn === 0 ? 0 : 1];
    this.#turn = 1 - this.#turn;
    let length = 0;
    while (length < memory.length) {
      const { bytesRead } = await this.#source.read(memory, length, memory.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return memory.subarray(0, length);
  }

  async close(): Promise<void> {
    await this.#last?.catch(() => undefined);
    await this.#source.close();
  }
}

async function fromFile(first: Buffer, reader: FileReader, client: GuestClient, path: string, moved: Moved, signal: AbortSignal): Promise<void> {
  try {
    let following = reader.next();
    const file = await GuestFile.open(client, path, 'wb', { signal });
    let piece = first;
    try {
      while (piece.length > 0) {
        const next = following;
        await file.write(piece, { signal }, () => {
          // While the guest writes, this side has time.
          following = reader.next();
          return next;
        });
        moved(piece.length);
        piece = await next;
      }
    } catch (error) {
      await file.close({}).catch(() => undefined);
      throw error;
    }
    await file.close({});
  } finally {
    await reader.close();
  }
}

async function fromStream(source: Readable, sink: Writable, moved: Moved, signal: AbortSignal): Promise<void> {
  const copying = pipeline(source, async function* count(chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      yield chunk;
      moved(chunk.length);
    }
  }, sink, { signal });
  await copying.catch((error: unknown) => {
    throw signal.aborted ? new ClientError('aborted', 'the copy was given up', { cause: signal.reason }) : error;
  });
}

/** Best effort, for the progress alone: a pseudo file has no size, and a FIFO no end. */
async function sizeInGuest(client: GuestClient, path: string): Promise<number | undefined> {
  try {
    const handle = await client.execute('guest-file-open', { path });
    try {
      const { position } = await client.execute('guest-file-seek', { handle, offset: 0, whence: 'end' });
      return position === 0n ? undefined : Number(position);
    } finally {
      await client.execute('guest-file-close', { handle });
    }
  } catch {
    return undefined;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}
