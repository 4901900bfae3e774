// SPDX-License-Identifier: Apache-2.0
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Generation } from '../../kit/index.ts';

/** What hears of a generation, with hooks in a directory of the test's own: one that does well, one that does not, one that must not run. */
export async function linuxGenerationIn(scratchDirectory: string): Promise<Generation> {
  const { linuxGeneration } = await import('../../adapters/linux/announcements/generation.ts');
  const { Uevents } = await import('../../adapters/linux/announcements/uevents.ts');
  const directory = join(scratchDirectory, 'generation.d');
  await mkdir(directory, { mode: 0o755 });
  await writeFile(join(directory, '10-id'), '#!/bin/sh\necho "$CONCIERGE_NEW_GENERATION"\n', { mode: 0o755 });
  await writeFile(join(directory, '20-dhcp'), '#!/bin/sh\necho no lease\nexit 1\n', { mode: 0o755 });
  await writeFile(join(directory, '30-open'), '#!/bin/sh\n', { mode: 0o755 });
  await chmod(join(directory, '30-open'), 0o777);
  return linuxGeneration({ directory, timeLimitMs: 20_000, uevents: new Uevents() });
}
