// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The release of the package: beside the bundle, or above the sources. */
function release(): string {
  for (const up of ['..', '../..']) {
    try {
      const found = JSON.parse(readFileSync(join(import.meta.dirname, up, 'package.json'), 'utf8')) as { readonly name?: string; readonly version?: string };
      if (found.version !== undefined && (found.name === 'concierge-ga' || found.name === 'concierge-client')) return found.version;
    } catch {
      // Not there.
    }
  }
  return 'of no package';
}

const words = process.argv.slice(process.argv[2]?.startsWith('--argv0=') === true ? 3 : 2);

async function main(): Promise<void> {
  // Somebody who has seen enough (`… | head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
  const { runProgram } = await import('./program.ts');
  process.exitCode = await runProgram({
    words,
    environment: process.env,
    version: release(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    isWatched: process.stderr.isTTY,
    isScreen: process.stdout.isTTY,
    isTyped: process.stdin.isTTY,
  });
  // Standard input may be one that never ends, and nothing is left to be done.
  process.stdin.destroy();
}

// The answer to this needs nothing of the rest.
if (words.length === 1 && words[0] === '--version') console.log(`concierge-ctl ${release()}`);
// Not awaited here: the bundle of the agent's package is CommonJS, which has no such thing.
else void main();
