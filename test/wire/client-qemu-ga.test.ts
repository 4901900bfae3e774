// SPDX-License-Identifier: Apache-2.0
/** The client against Debian's qemu-ga, unpacked and never installed. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile as readFromDisk, rm, writeFile as writeToDisk } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { theirs } from '../../bench/lib/agents.ts';
import { connectUnix, exec, GuestClient, readFile, writeFile } from '../../client/index.ts';

/** The program, or why there is none. */
function qemuGa(): readonly string[] | string {
  if (process.platform !== 'linux') return 'needs Linux';
  try {
    return theirs().command;
  } catch (error) {
    return `needs Debian's qemu-guest-agent, and it could not be downloaded: ${error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error)}`;
  }
}

const command = qemuGa();

describe.skipIf(typeof command === 'string')(`the client against qemu-ga${typeof command === 'string' ? ` (${command})` : ''}`, () => {
  let directory: string;
  let agent: ChildProcess;
  const open = async (): Promise<GuestClient> => new GuestClient(await connectUnix(join(directory, 'socket')));

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'concierge-client-'));
    const [program = '', ...words] = command;
    agent = spawn(program, [...words, '-m', 'unix-listen', '-p', join(directory, 'socket'), '-t', directory], { stdio: 'ignore' });
    // Its socket is there a moment before anybody listens.
    await vi.waitUntil(() => open().then((client) => {
      client.close();
      return true;
    }, () => false), { timeout: 30_000 });
  });

  afterAll(async () => {
    const gone = once(agent, 'exit');
    agent.kill();
    await gone;
    await rm(directory, { recursive: true, force: true });
  });

  it('asks what it knows, in the shapes of the schema', async () => {
    using client = await open();

    const info = await client.execute('guest-info');
    const interfaces = await client.execute('guest-network-get-interfaces');

    expect(info.supported_commands.some(({ name }) => name === 'guest-fsfreeze-freeze')).toBe(true);
    expect(interfaces.map(({ name }) => name)).toContain('lo');
  });

  it('reads and writes files', async () => {
    const content = Buffer.from(Array.from({ length: 5_000_000 }, (_, at) => (at * 7) % 256));
    using client = await open();

    await pipeline(Readable.from([content]), writeFile(client, join(directory, 'written')));
    await writeToDisk(join(directory, 'given'), content);
    const read = await buffer(readFile(client, join(directory, 'given')));

    expect(read.equals(content)).toBe(true);
    expect((await readFromDisk(join(directory, 'written'))).equals(content)).toBe(true);
  });

  it('runs programs', async () => {
    using client = await open();

    const { exitCode, stdout } = await exec(client, '/bin/sh', { arguments: ['-c', 'cat; exit 4'], input: 'given' });

    expect([exitCode, stdout.toString()]).toEqual([4, 'given']);
  });

  it('resynchronises after a time-out', async () => {
    using client = await open();
    await client.execute('guest-ping');
    const { pid } = await client.execute('guest-exec', { path: '/bin/true' });

    await client.execute('guest-exec-status', { pid }, { signal: AbortSignal.abort() }).catch(() => undefined);
    const abort = new AbortController();
    const given = client.execute('guest-get-fsinfo', {}, { signal: abort.signal }).catch((error: unknown) => error);
    abort.abort();
    await given;

    await expect(client.execute('guest-get-host-name')).resolves.toHaveProperty('host-name');
  });

  it('is refused with its class and words', async () => {
    using client = await open();

    await expect(client.executeRaw('guest-no-such')).rejects.toMatchObject({ kind: 'refused', agentClass: 'CommandNotFound' });
    await expect(client.execute('guest-file-open', { path: '/no/such' })).rejects.toMatchObject({ message: expect.stringContaining('No such file or directory') });
  });
});
