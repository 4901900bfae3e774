import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { runProgram } from './program.ts';

/** The package's release: beside the bundle, or above the sources. */
function release(): string {
  for (const up of ['..', '../..']) {
    try {
      const found = JSON.parse(readFileSync(join(import.meta.dirname, up, 'package.json'), 'utf8')) as { readonly name?: string; readonly version?: string };
      if (found.name === 'concierge-ga' && found.version !== undefined) return found.version;
    } catch {
      // Not there.
    }
  }
  return 'of no package';
}

// Somebody who has seen enough (`… | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

void runProgram({
  words: process.argv.slice(process.argv[2]?.startsWith('--argv0=') === true ? 3 : 2),
  environment: process.env,
  version: release(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  isWatched: process.stderr.isTTY,
  isScreen: process.stdout.isTTY,
  isTyped: process.stdin.isTTY,
}).then((status) => {
  process.exitCode = status;
  // Standard input may be one that never ends, and nothing is left to be done.
  process.stdin.destroy();
});
