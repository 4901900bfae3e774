// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { listedCommands } from '../../adapters/cli/command-names.ts';
import { type RunningAgent, startAgent } from './agent-program.ts';
import { describe, it } from './runner.ts';

async function withAgent(use: (ask: RunningAgent['ask']) => Promise<void>): Promise<number | null> {
  const agent = await startAgent();
  try {
    await use((request) => agent.ask(request));
  } catch (error) {
    await agent.stop();
    throw error;
  }
  return agent.stop();
}

interface AgentInfo {
  readonly supported_commands: readonly { readonly name: string; readonly enabled: boolean; readonly 'success-response': boolean }[];
}

/** The table of qemu-ga's commands that exist on Windows. */
const ofWindows = [
  'guest-sync-delimited', 'guest-sync', 'guest-ping', 'guest-get-time', 'guest-set-time', 'guest-info', 'guest-shutdown', 'guest-file-open',
  'guest-file-close', 'guest-file-read', 'guest-file-write', 'guest-file-seek', 'guest-file-flush', 'guest-fsfreeze-status',
  'guest-fsfreeze-freeze', 'guest-fsfreeze-freeze-list', 'guest-fsfreeze-thaw', 'guest-fstrim', 'guest-suspend-disk', 'guest-suspend-ram',
  'guest-network-get-interfaces', 'guest-get-vcpus', 'guest-get-disks', 'guest-get-fsinfo', 'guest-set-user-password', 'guest-exec-status',
  'guest-exec', 'guest-get-host-name', 'guest-get-users', 'guest-get-timezone', 'guest-get-osinfo', 'guest-get-devices',
  'guest-ssh-get-authorized-keys', 'guest-ssh-add-authorized-keys', 'guest-ssh-remove-authorized-keys', 'guest-get-load',
  // Since 11.0.
  'guest-network-get-route',
  // Of the release after 11.1.
  'guest-get-driver-packages', 'guest-get-driver-services',
];

/** And those that it lacks there. */
const ofLinuxAlone = [
  'guest-suspend-hybrid', 'guest-set-vcpus', 'guest-get-memory-blocks', 'guest-set-memory-blocks', 'guest-get-memory-block-info',
  'guest-get-diskstats', 'guest-get-cpustats',
];

describe('the agent as a program on Windows', () => {
  it('has the 37 commands that qemu-ga 11.1 has on Windows, two of the release after it, its own, and no other', async () => {
    await withAgent(async (ask) => {
      const info = (await ask({ execute: 'guest-info' }))['return'] as AgentInfo;

      const names = info.supported_commands.map(({ name }) => name);
      assert.deepEqual(names.filter((name) => name.startsWith('guest-')).toSorted(), ofWindows.toSorted());
      assert.deepEqual(names.toSorted(), listedCommands('windows').toSorted());
      assert.ok(info.supported_commands.every(({ enabled }) => enabled));
      assert.deepEqual(info.supported_commands.filter((command) => !command['success-response']).map(({ name }) => name).toSorted(),
        ['guest-shutdown', 'guest-suspend-disk', 'guest-suspend-ram']);
      for (const name of ofLinuxAlone) {
        assert.deepEqual(await ask({ execute: name }), { error: { class: 'CommandNotFound', desc: `The command ${name} has not been found` } });
      }
    });
  });

  it('tells real facts of the machine, and ends when its channel is lost', async () => {
    const status = await withAgent(async (ask) => {
      const interfaces = (await ask({ execute: 'guest-network-get-interfaces' }))['return'] as readonly Record<string, unknown>[];
      const fileSystems = (await ask({ execute: 'guest-get-fsinfo' }))['return'] as readonly Record<string, unknown>[];
      const os = (await ask({ execute: 'guest-get-osinfo' }))['return'] as Record<string, unknown>;

      assert.ok(interfaces.some(({ name }) => name === 'lo'));
      assert.ok(fileSystems.some(({ mountpoint }) => mountpoint === 'C:\\'));
      assert.equal(os['id'], 'mswindows');
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
