// SPDX-License-Identifier: Apache-2.0
/** The example of a third party, held to the contract here as in its own package. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { backend, portableBackend } from '../../examples/backend-portable/src/index.ts';
import { power } from '../../examples/backend-portable/src/power.ts';
import { sessionIn } from '../../examples/backend-portable/src/sessions.ts';
import { guardBackend } from '../../adapters/third-party/validation/guard-backend.ts';
import { loadBackend, posixPrograms, scratchOnDisk, testBackend, type ContractSubject } from '../../kit/contract/index.ts';

async function subject(): Promise<ContractSubject> {
  const scratchDirectory = await mkdtemp(join(tmpdir(), 'concierge-contract-'));
  return {
    // As the agent sees it: through its border.
    backend: guardBackend(portableBackend(), 'portable'),
    scratchDirectory,
    scratch: scratchOnDisk,
    knows: {
      programs: posixPrograms((path, text, mode) => writeFile(path, text, { mode })),
      memoryDevices: existsSync('/dev/full'),
      hostName: hostname(),
      ...(networkInterfaces()['lo'] === undefined ? {} : { loopback: 'lo' }),
    },
    safe: {},
    cleanup: () => rm(scratchDirectory, { recursive: true, force: true }),
  };
}

if (process.platform === 'win32') {
  describe('the backend portable', () => {
    it.skip('keeps its contract (needs a Unix)', () => {});
  });
} else {
  await testBackend('portable', subject, { describe, it });
}

describe('the backend portable', () => {
  it('brings what it declares', async () => {
    await expect(loadBackend(backend)).resolves.toHaveProperty('clock');
  });

  it.each([
    ['alice    pts/0        2026-11-22 10:30 (192.0.2.1)', new Date('2026-11-22T10:30').getTime() / 1000],
    ['alice    console  Nov 20 09:05', new Date('2026-11-20T09:05').getTime() / 1000],
    ['alice    console  Dec 31 23:59', new Date('2025-12-31T23:59').getTime() / 1000],
  ])('reads %j of who(1)', (line, loginTime) => {
    expect(sessionIn(line, new Date('2026-11-22T12:00'))).toEqual({ user: 'alice', loginTime });
  });

  it('passes over lines that are none', () => {
    expect(sessionIn('reboot', new Date())).toBeUndefined();
  });

  it('orders a shutdown, and tells why it was refused', async () => {
    const calls: string[] = [];
    const shutdown = power(async (program, words) => void calls.push([program, ...words].join(' '))).shutdown;
    await shutdown?.shutdown('reboot');
    const refused = power(() => Promise.reject(new Error('not permitted'))).shutdown?.shutdown('halt');

    expect(calls).toEqual(['/sbin/shutdown -r now']);
    await expect(refused).rejects.toThrow('shutdown(8) failed: not permitted');
  });
});
