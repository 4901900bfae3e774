// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it, vi } from 'vitest';

import { nobody } from '../../../core/state/caller.ts';
import { fileRead } from '../../../core/commands/files.ts';
import { CHUNK } from '../../../core/commands/file-read.ts';
import type { Base64Piece, PreparedAnswer } from '../../../core/commands/command.ts';
import { JsonDecoder } from '../../../core/protocol/json-decoder.ts';
import { isJsonObject } from '../../../core/protocol/value.ts';
import { Base64Text, forgetSpare } from '../../../core/schema/types.ts';
import { decodeAll } from '../protocol/decoding.ts';
import { contextOf, exchange, exchangeDecoded, piecesOf, type TestContext } from './support/exchange.ts';
import { MemoryFiles } from './support/files.ts';

let files: MemoryFiles;
let context: TestContext;

beforeEach(() => {
  files = new MemoryFiles();
  context = contextOf({ fileSystem: { files } });
});

const open = (path: string, mode: string): Promise<string> =>
  exchange(context, 'guest-file-open', JSON.stringify({ path, mode }));
const read = (count?: number, handle = 1000): Promise<string> =>
  exchange(context, 'guest-file-read', JSON.stringify({ handle, ...(count === undefined ? {} : { count }) }));
const write = (text: string, count?: number): Promise<string> =>
  exchange(context, 'guest-file-write', JSON.stringify({ handle: 1000, 'buf-b64': text, ...(count === undefined ? {} : { count }) }));
const seek = (offset: string, whence: string): Promise<string> =>
  exchange(context, 'guest-file-seek', `{"handle": 1000, "offset": ${offset}, "whence": ${whence}}`);
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('opening', () => {
  it.each([
    ['r', '0123', 'EBADF', '0123'], ['rb', '0123', 'EBADF', '0123'],
    ['w', 'EBADF', '', 'AB'], ['wb', 'EBADF', '', 'AB'],
    ['a', 'EBADF', '', '0123AB'], ['ab', 'EBADF', '', '0123AB'],
    ['r+', '0123', '', 'AB23'], ['rb+', '0123', '', 'AB23'], ['r+b', '0123', '', 'AB23'],
    ['w+', '', '', 'AB'], ['wb+', '', '', 'AB'], ['w+b', '', '', 'AB'],
    ['a+', '0123', '', '0123AB'], ['ab+', '0123', '', '0123AB'], ['a+b', '0123', '', '0123AB'],
  ])('mode %s reads %j, writes with %j and leaves %j', async (mode, readable, writeError, content) => {
    files.contents.set('/m', Buffer.from('0123'));

    await open('/m', mode);
    const got = await read(4);
    await seek('0', '"set"');
    const written = await write('QUI=');

    expect(got).toBe(readable === 'EBADF'
      ? 'error: failed to read file: Bad file descriptor'
      : `{"count": ${readable.length}, "buf-b64": "${base64(readable)}", "eof": ${readable === ''}}`);
    expect(written).toBe(writeError === '' ? '{"count": 2, "eof": false}' : 'error: failed to write to file: Bad file descriptor');
    expect(files.contents.get('/m')?.toString()).toBe(content);
  });

  it.each(['', 'x', 'R', 'rw', 'wx', 'br', 'r ', 'w+x', 'we', 'rt', 'toString'])('refuses mode %j', async (mode) => {
    expect(await open('/m', mode)).toBe(`error: invalid file open mode '${mode}'`);
    expect(files.opened).toEqual([]);
  });

  it('numbers files from the first reserved number on, and failures use up none', async () => {
    expect(await open('/a', 'w')).toBe('1000');
    expect(await open('/missing', 'r')).toBe("error: failed to open file '/missing' (mode: 'r'): No such file or directory");
    expect(await open('/b', 'w')).toBe('1001');
  });

  it('opens for reading where no mode is given', async () => {
    expect(await exchange(context, 'guest-file-open', '{"path": "/nope"}'))
      .toBe("error: failed to open file '/nope' (mode: 'r'): No such file or directory");
  });

  it('refuses a path with a zero byte, which would name another file', async () => {
    expect(await open('/a\0b', 'w')).toBe("error: failed to open file '/a\0b' (mode: 'w'): the path has a zero byte");
    expect(files.contents.size).toBe(0);
  });

  it('says in the accounting log what is opened and closed', async () => {
    await open('/a', 'w');
    await exchange(context, 'guest-file-close', '{"handle": 1000}');

    expect(context.log.texts('account')).toEqual([
      'guest-file-open called, filepath: /a, mode: w',
      'guest-file-open, handle: 1000',
      'guest-file-close called, handle: 1000',
    ]);
  });
});

describe('a handle that is not open', () => {
  it.each([
    ['guest-file-close', '{"handle": 7}'],
    ['guest-file-read', '{"handle": 7, "count": -1}'],
    ['guest-file-write', '{"handle": 7, "buf-b64": "***"}'],
    ['guest-file-seek', '{"handle": 7, "offset": 0, "whence": 9}'],
    ['guest-file-flush', '{"handle": 7}'],
  ])('is what %s complains about first', async (name, args) => {
    expect(await exchange(context, name, args)).toBe("error: handle '7' has not been found");
  });
});

describe.each([['at once', false], ['later', true]])('on a file that answers %s', (_how, slow) => {
  beforeEach(async () => {
    files.slow = slow;
    files.contents.set('/f', Buffer.from('Hello World!\n'));
    await open('/f', 'r+');
  });

  it('reads to the end and says that it was met', async () => {
    expect(await read()).toBe('{"count": 13, "buf-b64": "SGVsbG8gV29ybGQhCg==", "eof": true}');
    expect(await read()).toBe('{"count": 0, "buf-b64": "", "eof": true}');
  });

  it('does not say so when exactly the rest was asked for', async () => {
    expect(await read(13)).toBe('{"count": 13, "buf-b64": "SGVsbG8gV29ybGQhCg==", "eof": false}');
    expect(await read(13)).toBe('{"count": 0, "buf-b64": "", "eof": true}');
  });

  it('reads on until the count is reached, however little the system gives at a time', async () => {
    (files.opened[0]!).most = 2;

    expect(await read(5)).toBe('{"count": 5, "buf-b64": "SGVsbG8=", "eof": false}');
  });

  it('reads nothing for a count of 0', async () => {
    expect(await read(0)).toBe('{"count": 0, "buf-b64": "", "eof": false}');
    expect(files.opened[0]!.calls).toBe(0);
  });

  it.each([-1, 50_331_649])('refuses to read %d bytes', async (count) => {
    expect(await read(count)).toBe(`error: value '${count}' is invalid for argument count`);
  });

  it('answers a large count in the usual order where the file is small', async () => {
    expect(await read(50_331_648)).toBe('{"count": 13, "buf-b64": "SGVsbG8gV29ybGQhCg==", "eof": true}');
  });

  it('takes nothing being there for no error', async () => {
    const file = files.opened[0]!;
    file.most = 3;
    file.failures.set(2, 'EAGAIN').set(3, 'EAGAIN');

    expect(await read(10)).toBe('{"count": 3, "buf-b64": "SGVs", "eof": false}');
    expect(await read(10)).toBe('{"count": 0, "buf-b64": "", "eof": false}');
    expect(await read(2)).toBe('{"count": 2, "buf-b64": "bG8=", "eof": false}');
  });

  it('keeps what was read before an error and reports the error with the next read', async () => {
    const file = files.opened[0]!;
    file.most = 3;
    file.failures.set(2, 'EIO').set(3, 'EIO');

    expect(await read(10)).toBe('{"count": 3, "buf-b64": "SGVs", "eof": false}');
    expect(await read(10)).toBe('error: failed to read file: Input/output error');
  });

  it('writes through, all or a part', async () => {
    expect(await write('YWJjZGVm', 3)).toBe('{"count": 3, "eof": false}');
    expect(await write('eHl6')).toBe('{"count": 3, "eof": false}');
    expect(files.contents.get('/f')?.toString()).toBe('abcxyzWorld!\n');
  });

  it.each([7, -1])('refuses to write %d of six bytes', async (count) => {
    expect(await write('YWJjZGVm', count)).toBe(`error: value '${count}' is invalid for argument count`);
  });

  it('looks at the base64 before the count', async () => {
    expect(await write('Y*==', -1)).toBe('error: Base64 data contains invalid characters');
  });

  it('writes nothing without asking the system', async () => {
    files.opened[0]!.failures.set(1, 'EBADF');

    expect(await write('')).toBe('{"count": 0, "eof": false}');
    expect(await write('YWJj', 0)).toBe('{"count": 0, "eof": false}');
  });

  it('reports what the system says of a write or a flush', async () => {
    files.opened[0]!.failures.set(1, 'ENOSPC').set(2, 'EIO');

    expect(await write('YWJj')).toBe('error: failed to write to file: No space left on device');
    expect(await exchange(context, 'guest-file-flush', '{"handle": 1000}')).toBe('error: failed to flush file: Input/output error');
    expect(await exchange(context, 'guest-file-flush', '{"handle": 1000}')).toBe('{}');
  });

  it.each([
    ['2', '"set"', 2], ['2', '0', 2], ['2', '"cur"', 6], ['2', '1', 6], ['-3', '"end"', 10], ['2', '2', 15],
  ])('moves by %s from %s to %d', async (offset, whence, position) => {
    await seek('4', '0');

    expect(await seek(offset, whence)).toBe(`{"eof": false, "position": ${position}}`);
  });

  it.each(['3', '-1', '4096'])('refuses to move from %s', async (whence) => {
    expect(await seek('0', whence)).toBe(`error: invalid whence code ${whence}`);
  });

  it('reports what the system says of a move', async () => {
    expect(await seek('-1', '"set"')).toBe('error: failed to seek file: Invalid argument');
    expect(await seek('9223372036854775807', '"cur"')).toBe('error: failed to seek file: Invalid argument');
  });

  it('forgets a handle whose closing failed', async () => {
    files.opened[0]!.closeFailure = 'ENOSPC';

    expect(await exchange(context, 'guest-file-close', '{"handle": 1000}'))
      .toBe('error: failed to close handle: No space left on device');
    expect(await exchange(context, 'guest-file-close', '{"handle": 1000}')).toBe("error: handle '1000' has not been found");
  });
});

describe.each([['at once', false], ['later', true]])('a read of more than one piece, of a file that answers %s', (_how, slow) => {
  const size = CHUNK * 3 + 1000;
  const content = Buffer.alloc(size, 'The quick brown fox. ');

  beforeEach(async () => {
    files.slow = slow;
    files.contents.set('/big', content);
    await open('/big', 'r');
  });

  const start = async (count: number): Promise<PreparedAnswer> =>
    await fileRead.run(context, { handle: 1000n, count: BigInt(count) }, nobody) as PreparedAnswer;

  it('is streamed piece by piece and comes out whole', async () => {
    const pieces = await piecesOf(await start(50_331_648));

    const answer = JSON.parse(pieces.join('')) as { 'buf-b64': string };
    expect(pieces).toHaveLength(4);
    expect({ ...answer, 'buf-b64': Buffer.from(answer['buf-b64'], 'base64').equals(content) })
      .toEqual({ 'buf-b64': true, count: size, eof: true });
  });

  it.each([[CHUNK, 1], [CHUNK + 1, 2], [CHUNK * 2, 2], [size, 4]])('of %d bytes ends where the count does, not at the end of the file', async (count, pieces) => {
    const answer = await piecesOf(await start(count));

    expect(answer).toHaveLength(pieces);
    const { eof, count: got, 'buf-b64': data } = JSON.parse(answer.join('')) as { eof: boolean; count: number; 'buf-b64': string };
    expect({ eof, got, right: Buffer.from(data, 'base64').equals(content.subarray(0, count)) }).toEqual({ eof: false, got: count, right: true });
    expect(files.opened[0]!.position).toBe(count);
  });

  it('ends short where an error comes in between, and the next read reports it', async () => {
    files.opened[0]!.failures.set(2, 'EIO').set(3, 'EIO');

    const answer = JSON.parse((await piecesOf(await start(size))).join('')) as object;

    expect(answer).toMatchObject({ count: CHUNK, eof: false });
    expect(await read(1)).toBe('error: failed to read file: Input/output error');
  });

  it('is an ordinary error where the first byte cannot be read', async () => {
    files.opened[0]!.failures.set(1, 'EISDIR');

    expect(await read(50_331_648)).toBe('error: failed to read file: Is a directory');
    expect(await read(3)).toBe(`{"count": 3, "buf-b64": "${base64('The')}", "eof": false}`);
  });

  it('keeps the file to itself until the last piece is taken', async () => {
    const answer = await start(size);
    const order: string[] = [];

    const other = read(1).then(() => order.push('other read'));
    await piecesOf(answer).then(() => order.push('stream'));
    await other;

    expect(order).toEqual(['stream', 'other read']);
  });

  it('gives the file free when the host goes away in the middle', async () => {
    const answer = await start(size);

    for await (const piece of answer.pieces as AsyncIterable<Base64Piece>) {
      expect(String(piece).startsWith('{"buf-b64": "')).toBe(true);
      break;
    }

    expect(await seek('0', '"set"')).toBe('{"eof": false, "position": 0}');
    expect(await read(3)).toBe(`{"count": 3, "buf-b64": "${base64('The')}", "eof": false}`);
  });
});

it('does not wait for a stuck call when the host of a long answer goes away', async () => {
  files.contents.set('/big', Buffer.alloc(CHUNK * 2));
  await open('/big', 'r');
  const stuck = Promise.withResolvers<void>();
  const answer = await fileRead.run(context, { handle: 1000n, count: BigInt(CHUNK * 2) }, nobody) as PreparedAnswer;
  files.opened[0]!.gate = stuck.promise;

  for await (const _piece of answer.pieces as AsyncIterable<Base64Piece>) break;
  const waiting = read(0);
  stuck.resolve();

  expect(await waiting).toBe('{"count": 0, "buf-b64": "", "eof": false}');
});

describe('a long write, whose data the decoder has decoded already', () => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7919) >> 5));
  const long = async (arguments_: object): Promise<string> => {
    const request = JSON.stringify({ handle: 1000, 'buf-b64': bytes.toString('base64'), ...arguments_ });
    const [decoded] = decodeAll(Buffer.from(request), undefined, new JsonDecoder({ base64Members: new Set(['buf-b64']) }));
    if (decoded?.kind !== 'value' || !isJsonObject(decoded.value)) throw new Error('no request');
    const data = decoded.value.get('buf-b64');
    if (!(data instanceof Base64Text)) throw new Error('not decoded on its way in');
    const answer = await exchangeDecoded(context, 'guest-file-write', decoded.value);
    expect(data.toString()).not.toBe(bytes.toString('base64'));
    return answer;
  };

  it.each([false, true])('is written whole, in order (files that take their time: %s), and its memory given back', async (slow) => {
    await open('/long', 'w');
    files.slow = slow;

    expect(await long({})).toBe('{"count": 300000, "eof": false}');
    expect(files.contents.get('/long')?.equals(bytes)).toBe(true);
  });

  it.each([0, 1, 100_000, 299_999, 300_000])('of which %i bytes are wanted has no more of them in the file', async (count) => {
    await open('/long', 'w');

    expect(await long({ count })).toBe(`{"count": ${count}, "eof": false}`);
    expect(files.contents.get('/long')?.equals(bytes.subarray(0, count))).toBe(true);
  });

  it('leaves its memory to the next, until the last file is closed', async () => {
    forgetSpare();
    const taken = vi.spyOn(Buffer, 'allocUnsafeSlow');
    const smallest = 96 * 1024;
    await open('/long', 'w');
    await open('/other', 'w');
    const takenBy = async (action: () => Promise<unknown>): Promise<number> => {
      taken.mockClear();
      await action();
      return taken.mock.calls.filter(([size]) => size >= smallest && size % smallest < 10).length;
    };

    const first = await takenBy(() => long({}));
    const second = await takenBy(() => long({}));
    await exchange(context, 'guest-file-close', '{"handle": 1001}');
    const third = await takenBy(() => long({}));
    await exchange(context, 'guest-file-close', '{"handle": 1000}');
    await open('/long', 'w');
    const fourth = await takenBy(() => long({ handle: 1002 }));
    taken.mockRestore();

    expect([second, third, fourth]).toEqual([0, 0, first]);
    expect(first).toBeGreaterThan(0);
  });

  it('that fails in the middle says so, and its memory is given back', async () => {
    await open('/long', 'w');
    files.opened[0]!.failures.set(2, 'ENOSPC');

    expect(await long({})).toBe('error: failed to write to file: No space left on device');
  });
});

it('five hosts may read long files at a time, each its own', async () => {
  const contents = Array.from({ length: 5 }, (_, index) => Buffer.alloc(3 * CHUNK, `${index}`));
  for (const [index, content] of contents.entries()) {
    files.contents.set(`/${index}`, content);
    await open(`/${index}`, 'r');
  }

  const answers = await Promise.all(contents.map((_, index) => read(3 * CHUNK, 1000 + index)));

  expect(answers.map((answer) => JSON.parse(answer)['buf-b64'] as string)).toEqual(contents.map((content) => content.toString('base64')));
});
