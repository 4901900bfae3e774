// SPDX-License-Identifier: Apache-2.0
/**
 * The quick look before a commit: types and lint side by side, then the unit tests that what differs from `main` reaches
 * through its imports. The whole is `npm test`.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';

/** Runs a program of node_modules/.bin; its output comes when it has ended. True where it succeeded. */
async function run(program: string, ...words: readonly string[]): Promise<boolean> {
  const began = performance.now();
  const child = spawn('npx', ['--no-install', program, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (said += bytes.toString()));
  const [status] = (await once(child, 'close')) as [number | null];
  process.stdout.write(`${status === 0 ? '' : said}${program}: ${status === 0 ? 'good' : 'FAILED'} after ${((performance.now() - began) / 1000).toFixed(0)} s\n`);
  return status === 0;
}

/** Where this branch left `main`; the last commit where there is none. */
function base(): string {
  try {
    return execFileSync('git', ['merge-base', 'HEAD', 'main'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'HEAD';
  }
}

const good = await Promise.all([run('tsc', '--noEmit'), run('oxlint', '--type-aware', '--deny-warnings')]);
const tested = await run('vitest', 'run', '--project', 'unit', '--changed', base(), '--reporter', 'dot');
process.exitCode = tested && good.every(Boolean) ? 0 : 1;
