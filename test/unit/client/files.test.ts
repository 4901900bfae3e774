import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { expect, it } from 'vitest';

import { GuestClient, readFile, writeFile } from '../../../client/index.ts';
import { createFakeGuest } from '../../../kit/index.ts';

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

  expect(closed()).toBe(1);
});
