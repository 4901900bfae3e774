// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { createTransport } from '../../../adapters/channels/index.ts';
import { linuxChannels } from '../../../adapters/linux/channels/linux-channels.ts';
import type { Transport } from '../../../core/ports/index.ts';
import { silentLog } from '../../unit/transport/silent-log.ts';
import { until } from '../../unit/transport/until.ts';
import { serve } from './service.ts';

/** CID 1 is the guest itself, where the kernel has vsock_loopback. */
const python = (program: string): { status: number | null; stdout: string } =>
  spawnSync('python3', ['-c', `import socket\ns = socket.socket(socket.AF_VSOCK)\n${program}`], { encoding: 'utf8' });
const hasVsock = python('s.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))').status === 0;
const hasLoopback = hasVsock && python('s.bind((1, socket.VMADDR_PORT_ANY))').status === 0;

const PORT = 10_817;
const open: Transport[] = [];

afterEach(async () => {
  for (const transport of open.splice(0)) await transport.close();
});

async function vsockTransport(path: string, log = silentLog(), vsockAllow?: readonly number[]): Promise<Transport> {
  const transport = await createTransport(linuxChannels, { method: 'vsock-listen', path, log, ...(vsockAllow === undefined ? {} : { vsockAllow }) });
  open.push(transport);
  return transport;
}

describe('a vsock socket', () => {
  it.skipIf(!hasVsock)('listens on any CID (needs AF_VSOCK in the kernel)', async () => {
    const transport = await vsockTransport(`4294967295:${PORT}`);

    await serve(transport);

    const second = await vsockTransport(`4294967295:${PORT}`);
    await expect(second.open(() => {})).rejects.toThrow('Failed to bind socket: Address already in use');
  });

  it.skipIf(!hasVsock)('is refused at an address that is not this machine (needs AF_VSOCK in the kernel)', async () => {
    const transport = await vsockTransport(`77:${PORT}`);

    await expect(transport.open(() => {})).rejects.toThrow('Failed to bind socket: Cannot assign requested address');
  });

  const clientProgram = `s.settimeout(10)
s.connect((1, ${PORT}))
try:
    s.sendall(b'ping\\n')
    print(s.recv(100).decode(), end='')
except OSError:
    pass`;

  it.skipIf(!hasLoopback)('serves a peer whose CID is allowed (needs vsock_loopback)', async () => {
    const served = await serve(await vsockTransport(`4294967295:${PORT}`, silentLog(), [1]));

    const { spawn } = await import('node:child_process');
    let answer = '';
    spawn('python3', ['-c', `import socket\ns = socket.socket(socket.AF_VSOCK)\n${clientProgram}`]).stdout.on('data', (chunk) => {
      answer += String(chunk);
    });

    await until(() => answer === '<ping>\n');
    expect(served).toHaveLength(1);
  });

  it.skipIf(!hasLoopback)('serves nobody but the host unless configured (needs vsock_loopback)', async () => {
    const log = silentLog();
    const served = await serve(await vsockTransport(`4294967295:${PORT}`, log));

    const { spawn } = await import('node:child_process');
    spawn('python3', ['-c', `import socket\ns = socket.socket(socket.AF_VSOCK)\n${clientProgram}`]);

    await until(() => log.lines.length > 0);
    expect(log.lines[0]).toMatch(/CID 1 port \d+ is refused: only the host may talk to the agent/);
    expect(served).toHaveLength(0);
  });
});
