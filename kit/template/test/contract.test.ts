import { mkdtemp, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { loadBackend, scratchOnDisk, testBackend, type ContractSubject } from 'concierge-ga/kit/contract';

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
