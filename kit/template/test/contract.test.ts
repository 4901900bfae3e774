import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadBackend, scratchOnDisk, testBackend, type ContractSubject } from 'concierge-ga/kit/contract';

import { clock } from '../src/clock.ts';
import { memoryFreezing } from '../src/freezing.ts';
import { backend } from '../src/index.ts';

/** What the suite works on. It is made anew for every test; what is not in `safe` is not done to this machine. */
async function subject(): Promise<ContractSubject> {
  const scratchDirectory = await mkdtemp(join(tmpdir(), 'template-os-'));
  return {
    backend: await loadBackend(backend),
    scratchDirectory,
    scratch: scratchOnDisk,
    knows: { hostName: hostname() },
    safe: {},
    cleanup: () => rm(scratchDirectory, { recursive: true, force: true }),
  };
}

await testBackend('template-os', subject, { describe, it });

/** The example of freezing, on volumes that nothing is lost on. */
async function volumes(): Promise<ContractSubject> {
  const mountPoints = ['/memory/first', '/memory/second'];
  return {
    ...(await subject()),
    backend: { clock, fileSystem: { freezing: memoryFreezing(mountPoints.map((mountPoint) => ({ id: mountPoint, mountPoint, frozen: false })), clock) } },
    safe: { freeze: mountPoints.map((mountPoint) => ({ mountPoint, writable: mountPoint })) },
  };
}

await testBackend('template-os, volumes in memory', volumes, { describe, it }, { only: ['fileSystem.freezing'] });
