import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const repository = resolve(import.meta.dirname, '../../..');

/** Below the payload's mount point in the guest. */
export const AGENT = '/payload/bin/concierge-ga';

/** The agent as `npm run build` left it, with its Node, laid out as bin/concierge-ga finds them. Resolves to the directory. */
export function agentPayload(): string {
  const payload = join(repository, '.cache/vm/payload');
  const bundle = join(repository, 'dist');
  if (!existsSync(join(bundle, 'concierge-ga.mjs'))) throw new Error(`there is no agent in ${bundle}: run npm run build`);
  rmSync(payload, { recursive: true, force: true });
  mkdirSync(join(payload, 'bin'), { recursive: true });
  mkdirSync(join(payload, 'runtime'));
  cpSync(bundle, join(payload, 'dist'), { recursive: true });
  copy(join(repository, 'bin/concierge-ga'), join(payload, 'bin/concierge-ga'));
  copy(process.execPath, join(payload, 'runtime/node'));
  return payload;
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, 0o755);
}
