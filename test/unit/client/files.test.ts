// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { expect, it, vi } from 'vitest';

import { GrowingPause } from '../../../client/growing-pause.ts';
import { DEFAULT_PIECE, GuestClient, readFile, writeFile } from '../../../client/index.ts';
import { createFakeGuest } from '../../../kit/fake/index.ts';
import { scriptedAgent } from './scripted-agent.ts';

const content = Buffer.from(Array.from({ length: 100_000 }, (_, at) => at % 251));

async function guestWith(files: Record<string, string> = {}) {
  const guest = await createFakeGuest({ machine: { files } });
  const client = new GuestClient(guest.connect());
  const calls = (name: string): number => guest.machine.faults.calls.filter((call) => call.startsWith(`fileSystem.files.${name}`)).length;
  return { guest, client, opened: () => calls('open '), closed: () => calls('openFile.close') };
}

it('a file is read in pieces of any size, and its handle given back', async () => {
  const { guest, client, opened, closed } = await guestWith();
  guest.machine.files.write('/data/big', content);

  const read = await buffer(readFile(client, '/data/big', { pieceBytes: 7_001 }));

  expect(read).toEqual(content);
  expect([opened(), closed()]).toEqual([1, 1]);
});

it('an empty file is read as nothing', async () => {
  const { client } = await guestWith({ '/data/empty': '' });

  await expect(buffer(readFile(client, '/data/empty'))).resolves.toHaveLength(0);
});

it('a file that is not there is an error of the stream, with the words of the agent', async () => {
  const { client } = await guestWith();

  await expect(buffer(readFile(client, '/no/such'))).rejects.toMatchObject({ kind: 'refused', message: expect.stringContaining('No such file or directory') });
});

it('a stream that is left in the middle gives its handle back', async () => {
  const { guest, client, closed } = await guestWith();
  guest.machine.files.write('/data/big', content);
  const stream = readFile(client, '/data/big', { pieceBytes: 1000 });
  await once(stream, 'readable');

  stream.destroy();
  await once(stream, 'close');
  await client.execute('guest-ping');

  expect(closed()).toBe(1);
});

it('a stream writes a file, whatever the pieces in which it comes', async () => {
  const { guest, client, opened, closed } = await guestWith();
  const pieces = [content.subarray(0, 1), content.subarray(1, 40_000), content.subarray(40_000)];

  await pipeline(Readable.from(pieces), writeFile(client, '/data/new', { pieceBytes: 16_384 }));

  expect(Buffer.from(guest.machine.files.bytes('/data/new'))).toEqual(content);
  expect([opened(), closed()]).toEqual([1, 1]);
});

it('an empty stream leaves an empty file', async () => {
  const { guest, client } = await guestWith({ '/data/new': 'old' });

  await pipeline(Readable.from([]), writeFile(client, '/data/new'));

  expect(guest.machine.files.text('/data/new')).toBe('');
});

it('appending keeps what is there', async () => {
  const { guest, client } = await guestWith({ '/data/log': 'one\n' });

  await pipeline(Readable.from([Buffer.from('two\n')]), writeFile(client, '/data/log', { append: true }));

  expect(guest.machine.files.text('/data/log')).toBe('one\ntwo\n');
});

it('a full disk fails the stream and gives the handle back', async () => {
  const { guest, client, closed } = await guestWith({ '/data/new': '' });
  guest.machine.fileSystems.get('/data').full = true;

  const stream = writeFile(client, '/data/new');
  const closing = new Promise((resolve) => stream.once('close', resolve));

  const writing = pipeline(Readable.from([content]), stream);

  await expect(writing).rejects.toMatchObject({ kind: 'refused', message: expect.stringContaining('No space left on device') });
  await closing;
  expect(closed()).toBe(1);
});

it('giving up gives the handle back', async () => {
  const { client, closed } = await guestWith();
  const abort = new AbortController();
  const stream = writeFile(client, '/data/new', { pieceBytes: 1000, signal: abort.signal });
  stream.write(content);
  const closing = new Promise((resolve) => stream.once('error', () => undefined).once('close', resolve));

  abort.abort();
  stream.end();
  await closing;

  await vi.waitUntil(() => closed() === 1, { timeout: 20_000 });
});

it('a file that is given up beforehand is not opened', async () => {
  const { client, opened } = await guestWith({ '/data/file': 'x' });

  await expect(buffer(readFile(client, '/data/file', { signal: AbortSignal.abort() }))).rejects.toMatchObject({ kind: 'aborted' });
  await client.execute('guest-ping');

  expect(opened()).toBe(0);
});

it('an agent that says that it moved another number of bytes is not believed', async () => {
  const answers: Record<string, string> = {
    'guest-file-open': '7', 'guest-file-read': '{"count": 5, "buf-b64": "QUJD", "eof": true}', 'guest-file-write': '{"count": 2, "eof": false}', 'guest-file-close': '{}',
  };
  const agent = scriptedAgent({ answer: (name, id) => `{"return": ${answers[name] ?? ''}${id}}\n` });
  using client = new GuestClient(agent.host);

  await expect(buffer(readFile(client, '/file'))).rejects.toMatchObject({ kind: 'garbage', message: 'the agent says that it read 5 bytes of /file, and sent 3' });
  await expect(pipeline(Readable.from([Buffer.from('ABC')]), writeFile(client, '/file'))).rejects.toMatchObject({ kind: 'garbage', message: 'the agent says that it wrote 2 bytes to /file, of 3' });
  expect(agent.requests.filter((name) => name === 'guest-file-close')).toHaveLength(2);
});

it('a file whose bytes are not base64 is not taken for an empty one', async () => {
  const answers: Record<string, string> = { 'guest-file-open': '7', 'guest-file-read': '{"count": 0, "buf-b64": "%%%%", "eof": true}', 'guest-file-close': '{}' };
  const agent = scriptedAgent({ answer: (name, id) => `{"return": ${answers[name] ?? ''}${id}}\n` });
  using client = new GuestClient(agent.host);

  await expect(buffer(readFile(client, '/file'))).rejects.toMatchObject({ kind: 'garbage', message: 'the guest sent bytes that are not base64' });
});

it('a piece that no request can bring is a mistake of the caller', async () => {
  const { client } = await guestWith();

  await expect(buffer(readFile(client, '/data/x', { pieceBytes: 0 }))).rejects.toThrow(RangeError);
  expect(() => writeFile(client, '/data/x', { pieceBytes: 1.5 })).toThrow(RangeError);
});

it('a piece stays within what libvirt takes: an answer of 10 MiB, a request of 4 MiB', async () => {
  let [line, longest] = [0, 0];
  const guest = await createFakeGuest();
  guest.machine.files.write('/data/big', Buffer.alloc(2 * DEFAULT_PIECE, 'x'));
  const end = guest.connect();
  end.on('data', (chunk: Buffer) => {
    line += chunk.length;
    longest = Math.max(longest, line);
    if (chunk.at(-1) === 0x0a) line = 0;
  });
  using client = new GuestClient(end);

  await buffer(readFile(client, '/data/big'));

  expect(longest).toBeGreaterThan(DEFAULT_PIECE);
  expect(longest).toBeLessThan(10 * 1024 * 1024);
  // virNetMessage: a string of at most 4 MiB.
  expect(Math.ceil(DEFAULT_PIECE / 3) * 4 + 200).toBeLessThan(4 * 1024 * 1024);
});

/** Answers nothing to so many reads, then `bytes`, and nothing more. */
function quietFile(quiet: number) {
  let reads = 0;
  const closed = vi.fn();
  const agent = scriptedAgent({
    answer: (name, id) => {
      if (name === 'guest-file-open') return `{"return": 7${id}}\n`;
      if (name === 'guest-file-close') closed();
      if (name !== 'guest-file-read') return `{"return": {}${id}}\n`;
      reads += 1;
      return reads === quiet + 1 ? `{"return": {"count": 1, "buf-b64": "QQ==", "eof": true}${id}}\n` : `{"return": {"count": 0, "buf-b64": "", "eof": false}${id}}\n`;
    },
  });
  return { agent, reads: () => reads, closed };
}

it('a file that has nothing to say yet is asked less and less often', async () => {
  const { agent } = quietFile(6);
  using client = new GuestClient(agent.host);
  const waits = vi.spyOn(GrowingPause.prototype, 'wait');

  const read = await buffer(readFile(client, '/run/fifo'));
  const waited = waits.mock.calls.length;
  waits.mockRestore();

  expect(read.toString()).toBe('A');
  expect(waited).toBe(6);
});

it.each(['given up', 'destroyed'])('a file that never says anything is asked no more when its stream is %s', async (how) => {
  const { agent, reads, closed } = quietFile(Number.POSITIVE_INFINITY);
  using client = new GuestClient(agent.host);
  const abort = new AbortController();
  const stream = readFile(client, '/run/fifo', { signal: abort.signal });
  stream.on('error', () => undefined);
  stream.resume();
  await vi.waitUntil(() => reads() > 3, { timeout: 20_000 });

  if (how === 'destroyed') stream.destroy();
  else abort.abort();
  await new Promise((resolve) => void stream.once('close', resolve));

  expect(closed).toHaveBeenCalledOnce();
});

it.each(['at its beginning', 'between two pieces'])('a copy that is aborted %s is an AbortError', async (when) => {
  const guest = await createFakeGuest({}, { realTime: true });
  guest.machine.files.write('/data/long', Buffer.alloc(5 * DEFAULT_PIECE, 'a'));
  using client = new GuestClient(guest.connect());
  const controller = new AbortController();
  const sink = new Writable({
    write: (_chunk, _encoding, done) => {
      controller.abort();
      setImmediate(done);
    },
  });

  const copying = pipeline(readFile(client, '/data/long'), sink, { signal: controller.signal });
  if (when === 'at its beginning') controller.abort();

  await expect(copying).rejects.toMatchObject({ name: 'AbortError' });
  await vi.waitFor(() => expect(guest.machine.faults.calls.filter((call) => call.startsWith('fileSystem.files.openFile.close'))).toHaveLength(when === 'at its beginning' ? 0 : 1), { timeout: 20_000 });
});
