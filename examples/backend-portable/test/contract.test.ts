// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { hostname, networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { posixPrograms, scratchOnDisk, testBackend, type ContractSubject } from 'concierge-ga/kit/contract';

import { portableBackend } from '../src/index.ts';

/** A fresh directory for each test; nothing is shut down, and nothing else of this machine is touched. */
async function subject(): Promise<ContractSubject> {
  const scratchDirectory = await mkdtemp(join(tmpdir(), 'backend-portable-'));
  return {
    backend: portableBackend(),
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

await testBackend('portable', subject, { describe, it });
