import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { listedCommands } from '../../adapters/cli/command-names.ts';
import { describe, it } from './runner.ts';

const main = fileURLToPath(new URL('../../adapters/cli/main.ts', import.meta.url));

/** Starts the agent as a program, with a named pipe in place of the port. */
async function withAgent(use: (ask: (request: object) => Promise<Record<string, unknown>>) => Promise<void>): Promise<number | null> {
  const path = `\\\\.\\pipe\\concierge-agent-${process.pid}-${Date.now()}`;
  const server = createServer();
  server.listen(path);
  await once(server, 'listening');
  const statedir = mkdtempSync(join(tmpdir(), 'concierge-state-'));
  const agent = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, '--method=virtio-serial', `--path=${path}`, `--statedir=${statedir}`], { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  agent.stderr.on('data', (text: Buffer) => {
    errors += text.toString();
  });
  const ended = once(agent, 'exit') as Promise<[number | null]>;
  const socket = await Promise.race([
    once(server, 'connection').then(([one]) => one as Socket),
    ended.then(() => assert.fail(`the agent ended: ${errors}`)),
  ]);
  socket.on('error', () => {});
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  try {
    await use(async (request) => {
      socket.write(`${JSON.stringify(request)}\n`);
      const { value, done } = await lines.next();
      if (done === true) assert.fail(`the agent hung up: ${errors}`);
      return JSON.parse(value) as Record<string, unknown>;
    });
  } finally {
    socket.destroy();
    server.close();
  }
  const [status] = await ended;
  return status;
}

interface AgentInfo {
  readonly supported_commands: readonly { readonly name: string; readonly enabled: boolean }[];
}

describe('the agent as a program on Windows', () => {
  it('tells its commands, which are the 36 of qemu-ga and its own, and real facts of the machine', async () => {
    const status = await withAgent(async (ask) => {
      const info = (await ask({ execute: 'guest-info' }))['return'] as AgentInfo;
      const interfaces = (await ask({ execute: 'guest-network-get-interfaces' }))['return'] as readonly Record<string, unknown>[];
      const fileSystems = (await ask({ execute: 'guest-get-fsinfo' }))['return'] as readonly Record<string, unknown>[];
      const os = (await ask({ execute: 'guest-get-osinfo' }))['return'] as Record<string, unknown>;
      const missing = (await ask({ execute: 'guest-get-cpustats' }))['error'] as Record<string, unknown>;

      const names = info.supported_commands.map(({ name }) => name);
      assert.deepEqual(names.filter((name) => name.startsWith('guest-')).toSorted(), listedCommands('windows').filter((name) => name.startsWith('guest-')).toSorted());
      assert.equal(names.filter((name) => name.startsWith('guest-')).length, 36);
      assert.ok(interfaces.some(({ name }) => name === 'lo'));
      assert.ok(fileSystems.some(({ mountpoint }) => mountpoint === 'C:\\'));
      assert.equal(os['id'], 'mswindows');
      assert.deepEqual(missing, { class: 'CommandNotFound', desc: 'The command guest-get-cpustats has not been found' });
    });

    assert.equal(status, 1, 'a channel that is lost ends an agent without --retry-path');
  });

  it('writes and reads a file, and runs a program', async () => {
    await withAgent(async (ask) => {
      const path = join(tmpdir(), 'gast-ä-😀.txt');
      const handle = (await ask({ execute: 'guest-file-open', arguments: { path, mode: 'w+' } }))['return'];
      await ask({ execute: 'guest-file-write', arguments: { handle, 'buf-b64': Buffer.from('zwei\r\nZeilen').toString('base64') } });
      await ask({ execute: 'guest-file-seek', arguments: { handle, offset: 0, whence: 'set' } });
      const read = (await ask({ execute: 'guest-file-read', arguments: { handle } }))['return'] as Record<string, unknown>;
      const closed = await ask({ execute: 'guest-file-close', arguments: { handle } });
      const { pid } = (await ask({ execute: 'guest-exec', arguments: { path: 'cmd.exe', arg: ['/c', 'exit 7'], 'capture-output': true } }))['return'] as { pid: number };
      let status: Record<string, unknown> = {};
      while (status['exited'] !== true) status = (await ask({ execute: 'guest-exec-status', arguments: { pid } }))['return'] as Record<string, unknown>;

      assert.equal(Buffer.from(String(read['buf-b64']), 'base64').toString(), 'zwei\r\nZeilen');
      assert.deepEqual(closed, { return: {} });
      assert.deepEqual(status, { exitcode: 7, exited: true });
    });
  });
});
