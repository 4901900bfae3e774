import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { readFile, writeFile } from '../../files.ts';
import type { GuestClient } from '../../guest-client.ts';
import { Progress } from '../progress.ts';
import type { RunSubcommand, SubcommandContext } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

const prefix = 'guest:';

export const run: RunSubcommand = async (context) => {
  const [from, to, ...more] = context.words;
  if (from === undefined || to === undefined || more.length > 0) throw new UsageError('say what and whereto: cp guest:PATH PATH, or cp PATH guest:PATH (- is standard input or output)');
  const fromGuest = from.startsWith(prefix);
  if (fromGuest === to.startsWith(prefix)) throw new UsageError(`exactly one side is in the guest: write it ${prefix}PATH`);
  const { source, sink, size } = fromGuest ? await download(context, from.slice(prefix.length), to) : await upload(context, from, to.slice(prefix.length));
  const progress = context.isWatched ? new Progress(context.stderr, fromGuest ? from : to, size) : undefined;
  try {
    await pipeline(source, async function* count(chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        yield chunk;
        progress?.moved(chunk.length);
      }
    }, sink);
  } finally {
    progress?.done();
  }
  return 0;
};

interface Copy {
  readonly source: Readable;
  readonly sink: Writable;
  /** Bytes; unknown for a pipe, and for what only looks like a file. */
  readonly size: number | undefined;
}

async function download({ client, stdout, isWatched }: SubcommandContext, path: string, to: string): Promise<Copy> {
  if (path === '') throw new UsageError(`write which file: ${prefix}PATH`);
  const size = isWatched ? await sizeInGuest(client, path) : undefined;
  const source = readFile(client, path);
  // Nothing is truncated here before the guest has opened the file.
  const opened = await firstChunk(source);
  const name = path.split(/[/\\]/).at(-1) ?? path;
  const sink = to === '-' ? keptOpen(stdout) : createWriteStream((await isDirectory(to)) ? join(to, name) : to);
  return { source: opened, sink, size };
}

async function upload({ client, stdin }: SubcommandContext, from: string, to: string): Promise<Copy> {
  if (from === '-') {
    if (to === '' || to.endsWith('/')) throw new UsageError('say what the file is to be called in the guest');
    return { source: stdin, sink: writeFile(client, to), size: undefined };
  }
  const { size } = await stat(from);
  const path = to === '' || to.endsWith('/') ? `${to}${basename(from)}` : to;
  return { source: createReadStream(from, { highWaterMark: 2 ** 20 }), sink: writeFile(client, path), size };
}

/** Waits until a stream has something or ends, and answers the stream. @throws what opening it threw */
function firstChunk(stream: Readable): Promise<Readable> {
  return new Promise((resolve, reject) => {
    stream.once('error', reject);
    stream.once('readable', () => {
      stream.off('error', reject);
      resolve(stream);
    });
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

/** Standard output is not ours to close. */
function keptOpen(stream: Writable): Writable {
  return new Proxy(stream, {
    get: (target, key) => {
      const member: unknown = Reflect.get(target, key);
      return typeof member === 'function' ? (member as (...rest: unknown[]) => unknown).bind(target) : member;
    },
  });
}
