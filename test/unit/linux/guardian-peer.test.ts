// SPDX-License-Identifier: Apache-2.0
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';

import { connectToGuardian, guardianSocketName } from '../../../adapters/linux/freeze/guardian.ts';
import { LinuxFreezing } from '../../../adapters/linux/freeze/freezing.ts';
import type { FreezeMarkerData } from '../../../core/ports/index.ts';

const isRoot = process.getuid?.() === 0;
const cookie = '0123456789abcdef0123456789abcdef';
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'concierge-peer-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
});

const marker = (recoveryData: Readonly<Record<string, string>>): FreezeMarkerData =>
  ({ bootId: '', targets: [{ id: '8:1', mountPoint: '/data' }], deadlineAt: 0n, recoveryData });

/** Somebody who listens where a guardian would, and says this to whoever comes. */
async function listening(text: string): Promise<Server> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    socket.end(text);
  });
  await new Promise<void>((resolve) => {
    server.listen(join(directory, guardianSocketName), resolve);
  });
  onTestFinished(() => void server.close());
  return server;
}

describe.skipIf(process.platform !== 'linux')('the guardian of an earlier agent (needs SO_PEERCRED)', () => {
  it('is the process that the kernel names, whatever it says itself', async () => {
    await listening(`session ${cookie} frozen 1\n`);

    const found = await connectToGuardian(directory);
    found?.link.close();

    expect(found?.pid).toBe(process.pid);
  });

  it('is none where nobody listens, or there is no directory', async () => {
    expect(await connectToGuardian(directory)).toBeUndefined();
    expect(await connectToGuardian(join(directory, 'missing'))).toBeUndefined();
  });

  it.skipIf(!isRoot)('is not believed where another user listens (needs root)', async () => {
    chmodSync(directory, 0o755);
    const path = join(directory, guardianSocketName);
    // Bound while it is root, listened at by nobody: only that counts for SO_PEERCRED.
    const script = `import os, socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\nos.setgid(65534)\nos.setuid(65534)\ns.listen(4)\nprint('ready', flush=True)\nsys.stdin.read()`;
    const planted: ChildProcess = spawn('python3', ['-c', script, path]);
    onTestFinished(() => void planted.kill());
    await new Promise((resolve) => planted.stdout?.once('data', resolve));

    await expect(connectToGuardian(directory)).rejects.toThrow(`who listens at ${path} is process ${planted.pid} of user 65534, and no guardian of this agent`);
  });

  it.skipIf(!isRoot)('is not looked for in a directory of another user (needs root)', async () => {
    await listening('');
    chownSync(directory, 65534, 65534);

    await expect(connectToGuardian(directory)).rejects.toThrow(`the state directory ${directory} is not used: ${directory} belongs to user 65534 and not to root`);
  });

  it.each([
    ['another cookie', `session ${'f'.repeat(32)} frozen 17\n`],
    ['no cookie', 'session\n'],
    ['nothing', ''],
    ['a line without an end', 'x'.repeat(100_000)],
  ])('that greets with %s is none', async (_, greeting) => {
    await listening(greeting);

    expect(await new LinuxFreezing().recover(marker({ cookie, directory, pid: '17' }))).toBeUndefined();
  });

  it.each([
    ['a pid that is no number', `session ${cookie} frozen seventeen\n`],
    ['a number that is none', `session ${cookie} frozen 17\nthawed x 0 0\nended thaw\n`],
    ['a number that is too long', `session ${cookie} frozen 17\nflushed 0 ${'9'.repeat(300)} 1\n`],
  ])('that says %s counts as lost, and ends no agent', async (_, text) => {
    await listening(text);

    const session = await new LinuxFreezing({ root: '/nonexistent' }).recover(marker({ cookie, directory, pid: '17' }));

    expect(await session?.ended.then(({ reason }) => reason)).toBe('holder-lost');
  });

  it.each([
    [{ cookie: 'x', pid: '1' }],
    [{ cookie: `${cookie}\n`, pid: '1' }],
    [{ pid: '1' }],
    [{ cookie, directory: 'relative' }],
  ])('is not looked for by a marker that is damaged: %j', async (recoveryData) => {
    await listening(`session ${cookie} frozen 17\n`);

    expect(await new LinuxFreezing().recover(marker({ directory, ...recoveryData }))).toBeUndefined();
  });
});
