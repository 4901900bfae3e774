// SPDX-License-Identifier: Apache-2.0
import { chmod, mkdtemp, readFile as readLocal, rm, writeFile as writeLocal } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { byCommand, exec, GuestClient, readFile, withFrozen, writeFile, type SingleCommands } from '../../../client/index.ts';
import { runProgram } from '../../../client/cli/program.ts';
import { createFakeGuest, type FakeGuest } from '../../../kit/fake/index.ts';

let directory: string;
let server: Server | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'concierge-via-'));
});

afterEach(async () => {
  server?.close();
  await rm(directory, { recursive: true, force: true });
});

async function script(text: string, name = 'virsh'): Promise<string> {
  const path = join(directory, name);
  await writeLocal(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
  return path;
}

/** A tool as virsh: a request is its last argument, it prints the answer and an empty line. */
async function toolFor(guest: FakeGuest): Promise<readonly string[]> {
  const socket = join(directory, 'socket');
  server = createServer((one) => {
    const end = guest.connect();
    one.on('error', () => undefined).pipe(end.on('error', () => undefined)).pipe(one);
  });
  await new Promise<void>((resolve) => void server?.listen(socket, resolve));
  const path = join(directory, 'tool.mjs');
  await writeLocal(path, `
    import { connect } from 'node:net';
    const [socket, request] = process.argv.slice(2);
    const channel = connect(socket, () => channel.write(request + '\\n'));
    let text = '';
    channel.on('data', (chunk) => {
      text += chunk;
      if (text.endsWith('\\n')) process.stdout.write(text + '\\n', () => process.exit());
    });
  `);
  return [process.execPath, path, socket];
}

describe('a guest behind a program', () => {
  it('answers as on a stream: results, errors, integers, files, programs, freezes', async () => {
    const guest = await createFakeGuest({ machine: { host: { name: "it's" } } }, { realTime: true });
    using client = new GuestClient(byCommand(await toolFor(guest)), { timeoutMs: 20_000 });
    const bytes = Buffer.alloc(200_000, 'file ');

    expect(await client.execute('guest-get-host-name')).toEqual({ 'host-name': "it's" });
    expect(await client.executeRaw('guest-sync', '{"id": 9007199254740993}')).toBe(9007199254740993n);
    await expect(client.execute('guest-file-open', { path: '/no/such' })).rejects.toMatchObject({ kind: 'refused', message: expect.stringContaining('No such file') });
    await pipeline(Readable.from([bytes]), writeFile(client, '/data/x'));
    expect((await buffer(readFile(client, '/data/x'))).equals(bytes)).toBe(true);
    expect((await exec(client, 'echo', { arguments: ['inside'] })).stdout.toString()).toBe('inside\n');
    expect(await withFrozen(client, async ({ count }) => count)).toBe(4n);
    expect(client.isOpen).toBe(true);
  });

  it('is reached by concierge-ctl --via', async () => {
    const guest = await createFakeGuest({}, { realTime: true });
    const printed: string[] = [];
    const stdout = Object.assign(new (await import('node:stream')).PassThrough(), {});
    stdout.on('data', (chunk: Buffer) => printed.push(chunk.toString()));

    const status = await runProgram({
      words: ['--via', (await toolFor(guest)).map((word) => `'${word}'`).join(' '), '--timeout', '20', 'os'],
      environment: {}, version: '', stdin: new Readable({ read: () => undefined }), stdout, stderr: stdout, isWatched: false,
    });

    expect([status, printed.join('')]).toEqual([0, expect.stringContaining('Debian')]);
  });

  it.each([
    ["error: internal error: unable to execute QEMU agent command 'guest-x': The command guest-x has not been found", { kind: 'refused', agentClass: 'CommandNotFound', message: 'The command guest-x has not been found' }],
    ["error: internal error: unable to execute QEMU agent command 'guest-file-open': failed to open file", { kind: 'refused', agentClass: 'GenericError' }],
    ['error: Guest agent is not responding: Guest agent not available for now', { kind: 'timeout', message: expect.stringContaining('not available for now') }],
    ['error: Guest agent is not responding: QEMU guest agent is not connected', { kind: 'closed', message: expect.stringContaining('is not connected') }],
    ["error: Guest agent is not responding: guest agent didn't respond to synchronization within '5' seconds", { kind: 'timeout' }],
    ["error: failed to get domain 'vm7'", { kind: 'closed', message: "virsh: failed to get domain 'vm7'" }],
    ['error: Guest agent is not responding: guest agent command timed out', { kind: 'timeout' }],
    ['', { kind: 'closed', message: 'virsh: it ended with status 1 and said nothing' }],
  ])('tells what virsh means by %j', async (said, expected) => {
    using client = new GuestClient(byCommand([await script(`echo "${said}" >&2; exit 1`)]));

    await expect(client.execute('guest-ping')).rejects.toMatchObject(expected);
    expect(client.isOpen).toBe(true);
  });

  it('takes what is no answer for garbage', async () => {
    await expect(new GuestClient(byCommand([await script('echo hello')])).execute('guest-ping')).rejects.toMatchObject({ kind: 'garbage' });
    await expect(new GuestClient(byCommand([await script(':')])).execute('guest-ping')).rejects.toMatchObject({ kind: 'garbage' });
  });

  it('says that there is no such program, or that it is none', async () => {
    await expect(new GuestClient(byCommand(['/no/such/virsh'])).execute('guest-ping')).rejects.toMatchObject({ kind: 'closed', message: 'there is no program /no/such/virsh' });
    await writeLocal(join(directory, 'text'), '');
    await expect(new GuestClient(byCommand([join(directory, 'text')])).execute('guest-ping')).rejects.toMatchObject({ kind: 'closed', message: expect.stringContaining('cannot be run: EACCES') });
  });

  it('ends a program that does not answer in time, and one that is given up', async () => {
    const stuck = await script(`echo $$ >>${directory}/pids; exec sleep 60`);
    using client = new GuestClient(byCommand([stuck]), { timeoutMs: 300 });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 300);

    await expect(client.execute('guest-ping')).rejects.toMatchObject({ kind: 'timeout' });
    await expect(client.execute('guest-ping', {}, { timeoutMs: 0, signal: controller.signal })).rejects.toMatchObject({ kind: 'aborted' });
    for (const pid of (await readLocal(join(directory, 'pids'), 'utf8')).trim().split('\n')) await expect.poll(() => {
      try {
        return process.kill(Number(pid), 0);
      } catch {
        return 'gone';
      }
    }).toBe('gone');
  });

  it('refuses what is too long for an argument, and an answer that is too long, and goes on', async () => {
    const tool = await script('case $1 in *guest-info*) head -c 3000 /dev/zero | tr "\\0" "a" ;; *) echo \'{"return": {}}\' ;; esac');
    using client = new GuestClient(byCommand([tool], { maxReplyBytes: 2000 }));

    await expect(client.executeRaw('guest-x', JSON.stringify({ text: 'x'.repeat(131_072) }))).rejects.toMatchObject({ kind: 'too-large' });
    await expect(client.executeRaw('guest-info')).rejects.toMatchObject({ kind: 'too-large' });
    await expect(client.execute('guest-ping')).resolves.toBeUndefined();
    await client.synchronize();
  });

  it('quotes a request for the shell of ssh', async () => {
    // As ssh does: the words are joined with blanks, and a shell reads them.
    const ssh = await script('shift; exec sh -c "$*"', 'ssh');
    const tool = await script('printf \'{"return": "%s"}\' "$(printf %s "$1" | base64 -w0)"', 'tool');
    using client = new GuestClient(byCommand([ssh, 'host', tool]));

    const seen = Buffer.from((await client.executeRaw('guest-x', '{"a": "it\'s $HOME `id`"}')) as string, 'base64').toString();

    expect(seen).toBe('{"execute":"guest-x","arguments":{"a": "it\'s $HOME `id`"}}');
  });
});

it('nothing is asked of a client that was closed', async () => {
  let asked = 0;
  const way: SingleCommands = { ask: async () => ((asked += 1), '{"return": {}}') };
  const client = new GuestClient(way);
  client.close();

  await expect(client.execute('guest-ping')).rejects.toMatchObject({ kind: 'closed' });
  expect(asked).toBe(0);
});
