// SPDX-License-Identifier: Apache-2.0
import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createTransport } from '../../../adapters/channels/index.ts';
import { linuxChannels } from '../../../adapters/linux/channels/linux-channels.ts';
import type { Transport } from '../../../core/ports/index.ts';
import { silentLog, type RecordedLog } from '../../unit/transport/silent-log.ts';
import { until } from '../../unit/transport/until.ts';
import { serve } from './service.ts';

const isRoot = process.getuid?.() === 0;
const open: Transport[] = [];
const children: ChildProcessWithoutNullStreams[] = [];

afterEach(async () => {
  for (const transport of open.splice(0)) await transport.close();
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** The host's end of a serial line, and the name of the guest's. */
async function pseudoTerminal(): Promise<{ path: string; host: ChildProcessWithoutNullStreams; heard: () => string }> {
  const host = spawn('python3', [join(import.meta.dirname, 'serial-host.py')]);
  children.push(host);
  let text = '';
  host.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  await until(() => text.includes('\n'));
  const path = text.slice(0, text.indexOf('\n'));
  text = '';
  return { path, host, heard: () => text };
}

async function serialTransport(path: string, log: RecordedLog = silentLog()): Promise<Transport> {
  const transport = await createTransport(linuxChannels, { method: 'isa-serial', path, log });
  open.push(transport);
  return transport;
}

describe('a serial line', () => {
  it('carries every byte as it is, without echo', async () => {
    const { path, host, heard } = await pseudoTerminal();
    const bytes = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte)).replace('\n', '');
    const served = await serve(await serialTransport(path));

    host.stdin.write(Buffer.from(`${bytes}\n`, 'latin1'));

    await until(() => heard().endsWith('>\n'));
    expect(served[0]!.happened).toEqual([bytes]);
    expect(heard()).toBe(`<${bytes}>\n`);
  });

  it('is made raw at 38400 baud with eight bits', async () => {
    const { path } = await pseudoTerminal();

    await serve(await serialTransport(path));

    const { stdout } = spawnSync('stty', ['-a', '-F', path], { encoding: 'utf8' });
    expect(stdout).toContain('speed 38400 baud');
    for (const setting of ['-icanon', '-echo', '-isig', '-opost', '-icrnl', '-ixon', 'cs8', '-parenb', 'clocal', 'min = 1', 'time = 0']) {
      expect(stdout).toContain(setting);
    }
  });

  it('drops what came before the agent', async () => {
    const { path, host, heard } = await pseudoTerminal();
    host.stdin.write('stale half of a req');
    // The line still echoes: what comes back has arrived.
    await until(() => heard().length > 0);

    const served = await serve(await serialTransport(path));
    host.stdin.write('fresh\n');

    await until(() => served[0]!.happened.length > 0);
    expect(served[0]!.happened).toEqual(['fresh']);
  });

  it.skipIf(!isRoot)('is opened again after a hang-up, as a new connection (needs root)', async () => {
    const { path, host, heard } = await pseudoTerminal();
    const log = silentLog();
    const served = await serve(await serialTransport(path, log));
    host.stdin.write('half a mess');
    host.stdin.write('\x01hangup\n');
    await until(() => served.length === 2);

    host.stdin.write('whole\n');

    await until(() => heard().includes('<whole>\n'));
    expect(served[0]!.happened).toEqual(['(closed)']);
    expect(served[1]!.happened).toEqual(['whole']);
    expect(log.lines[0]).toMatch(/^warning: isa-serial \/dev\/pts\/\d+: (hung up|Input\/output error); opening it again$/);
  });

  it('is lost when its device goes away', async () => {
    const { path, host } = await pseudoTerminal();
    const transport = await serialTransport(path);
    await serve(transport);

    host.stdin.end();
    await once(host, 'exit');

    expect((await transport.lost).message).toMatch(`error opening channel '${path}': `);
  });
});

describe('what is no serial line', () => {
  it.each([
    ['/nowhere/ttyS9', "error opening channel '/nowhere/ttyS9': No such file or directory"],
    ['/dev/null', "error opening channel '/dev/null': it is no serial port"],
    ['/tmp', "error opening channel '/tmp': Is a directory"],
  ])('%s is refused in one sentence', async (path, message) => {
    const transport = await serialTransport(path);

    await expect(transport.open(() => {})).rejects.toThrow(message);
  });

  it('a file is refused', async () => {
    const scratch = mkdtempSync(join(tmpdir(), 'serial-'));
    const path = join(scratch, 'file');
    writeFileSync(path, '');
    const transport = await serialTransport(path);

    await expect(transport.open(() => {})).rejects.toThrow(`error opening channel '${path}': it is no character device`);
    rmSync(scratch, { recursive: true });
  });
});
