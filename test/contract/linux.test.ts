// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, networkInterfaces, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'vitest';

import { posixPrograms, scratchOnDisk, testBackend, type ContractSubject, type KnownFacts } from '../../kit/contract/index.ts';
import type { Backend } from '../../kit/index.ts';
import { linuxGenerationIn } from './linux-generation-hooks.ts';
import { linuxHooksIn } from './linux-hooks.ts';

/** The backend, or why it cannot be loaded here. */
async function linux(): Promise<(() => Backend) | string> {
  if (process.platform !== 'linux') return 'needs Linux';
  try {
    const { linuxBackend } = await import('../../adapters/linux/module.ts');
    linuxBackend();
    return linuxBackend;
  } catch (error) {
    return `needs the backend for Linux with its native addon: ${error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error)}`;
  }
}

/** What this machine is known to have, found without the backend. */
function factsOf(): Omit<KnownFacts, 'programs'> {
  const { username, homedir } = userInfo();
  const isRoot = process.getuid?.() === 0;
  return {
    user: { name: username, keys: `${homedir}/.ssh/authorized_keys` },
    ...(isRoot || !existsSync('/etc/shadow') ? {} : { forbiddenFile: '/etc/shadow' }),
    memoryDevices: existsSync('/dev/full'),
    memoryBlocks: existsSync('/sys/devices/system/memory/block_size_bytes'),
    ...(networkInterfaces()['lo'] === undefined ? {} : { loopback: 'lo' }),
    hostName: existsSync('/proc/sys/kernel/hostname') ? readFileSync('/proc/sys/kernel/hostname', 'utf8').trim() : hostname(),
  };
}

/** Nothing here freezes, trims, shuts down or sets anything: that is done on loop devices, in `test/system`. Hooks are our own. */
async function subject(backend: () => Backend): Promise<ContractSubject> {
  const scratchDirectory = await mkdtemp(join(tmpdir(), 'concierge-contract-'));
  return {
    backend: { ...backend(), hooks: await linuxHooksIn(scratchDirectory), generation: await linuxGenerationIn(scratchDirectory) },
    scratchDirectory,
    scratch: scratchOnDisk,
    knows: { ...factsOf(), programs: posixPrograms((path, text, mode) => writeFile(path, text, { mode })) },
    safe: { hooks: true },
    cleanup: () => rm(scratchDirectory, { recursive: true, force: true }),
  };
}

const backend = await linux();

if (typeof backend === 'string') {
  describe('the backend linux', () => {
    it.skip(`keeps its contract (${backend})`, () => {});
  });
} else {
  await testBackend('linux', () => subject(backend), { describe, it });
}
