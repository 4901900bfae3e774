// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { scratchDirectory } from './support/scratch.ts';

const program = join(import.meta.dirname, '../../../build/Release/concierge-guardian');

interface Told {
  readonly status: number | string | null | undefined;
  readonly out: string;
  readonly err: string;
}

/** What `concierge-guardian thaw` makes of a guardian that says these lines. */
async function order(lines: string): Promise<Told & { readonly heard: string }> {
  const directory = scratchDirectory();
  let heard = '';
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => void (heard += bytes.toString()));
    socket.end(lines);
  });
  await new Promise<void>((resolve) => void server.listen(join(directory, 'freeze-guardian.sock'), resolve));
  const told = await new Promise<Told>((resolve) => {
    execFile(program, ['thaw', directory], (error, out, err) => resolve({ status: error === null ? 0 : error.code, out, err }));
  });
  await new Promise((resolve) => void server.close(resolve));
  return { ...told, heard };
}

describe.skipIf(!existsSync(program))('the order to thaw (needs the guardian: npm run build:native)', () => {
  it('says how many were thawed', async () => {
    expect(await order('session 7 frozen 1\nthawed 0 0 5\nthawed 1 0 6\nended elsewhere 7\n')).toEqual({
      status: 0, out: '2 file systems thawed by their guardian\n', err: '', heard: 'thaw\n',
    });
  });

  it('says which would not thaw, and fails', async () => {
    expect(await order('session 7 frozen 1\nthawed 0 0 5\nthawed 1 5 0\nthawed 2 110 0\nended elsewhere 7\n')).toMatchObject({
      status: 1,
      out: '1 file systems thawed by their guardian\n',
      err: 'file system 1 of the freeze would not thaw: Input/output error\nfile system 2 of the freeze would not thaw: Connection timed out\n',
    });
  });

  it.each([['is not frozen any more', '22'], ['still freezes, to be thawed when the kernel returns', '115']])('takes one that %s for no failure', async (_what, errno) => {
    expect(await order(`session 7 frozen 1\nthawed 0 ${errno} 0\nended elsewhere 7\n`)).toMatchObject({ status: 0, out: '', err: '' });
  });

  it('fails where the guardian goes without a word', async () => {
    expect(await order('session 7 frozen 1\n')).toMatchObject({ status: 1, err: 'the guardian of the freeze does not say that it has thawed\n' });
  });
});
