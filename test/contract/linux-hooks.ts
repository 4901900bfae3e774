// SPDX-License-Identifier: Apache-2.0
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Hooks } from '../../kit/index.ts';

/** Hooks for the contract, in a directory of the test's own: one that does well but for the thaw, one that must not run. */
export async function linuxHooksIn(scratchDirectory: string): Promise<Hooks> {
  const { linuxHooks } = await import('../../adapters/linux/programs/hooks.ts');
  const directory = join(scratchDirectory, 'hooks.d');
  await mkdir(directory, { mode: 0o755 });
  await writeFile(join(directory, '10-db'), '#!/bin/sh\necho "$1"\ntest "$1" != thaw\n', { mode: 0o755 });
  await writeFile(join(directory, '20-open'), '#!/bin/sh\n', { mode: 0o755 });
  await chmod(join(directory, '20-open'), 0o777);
  return linuxHooks({ directory, timeLimitMs: 20_000 });
}
