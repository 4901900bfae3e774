// SPDX-License-Identifier: Apache-2.0
import { chmodSync, copyFileSync, cpSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { run } from './host.ts';

const repository = resolve(import.meta.dirname, '../../..');

/** Below the payload's mount point in the guest. */
export const AGENT = '/payload/bin/concierge-ga';

/**
 * The agent as `npm run build` left it, with its Node, laid out as bin/concierge-ga finds them. Resolves to the directory.
 * @throws when that agent does not start
 */
export async function agentPayload(): Promise<string> {
  const payload = join(repository, '.cache/vm/payload');
  rmSync(payload, { recursive: true, force: true });
  mkdirSync(payload, { recursive: true });
  cpSync(join(repository, 'dist'), join(payload, 'dist'), { recursive: true });
  copy(join(repository, 'bin/concierge-ga'), join(payload, 'bin/concierge-ga'));
  copy(process.execPath, join(payload, 'runtime/node'));
  await run(join(payload, 'bin/concierge-ga'), ['--version']);
  return payload;
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, 0o755);
}
