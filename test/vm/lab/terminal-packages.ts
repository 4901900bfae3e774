// SPDX-License-Identifier: Apache-2.0
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { aptOf } from './archive.ts';
import { run } from './host.ts';
import { guest, guests } from './pair.ts';

/** What people run on terminals and the image of the guest does not have: most tests need none of it. */
const packages = ['vim-common', 'vim-tiny', 'less', 'sudo'] as const;

/** Puts Debian's packages of the guest's release into a payload. Resolves to the script that installs them in the guest. */
export async function terminalPackages(payload: string): Promise<string> {
  const directory = join(payload, 'terminals');
  mkdirSync(directory);
  await run('apt-get', ['download', '-q', ...packages], { cwd: directory, env: await aptOf(guests[guest].base) });
  return 'DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io --install /payload/terminals/*.deb 2>&1';
}
