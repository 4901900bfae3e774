// SPDX-License-Identifier: Apache-2.0
import { writeSync } from 'node:fs';
import { exit } from './process-addon.ts';
import { runProgram } from './program.ts';

/** The launcher passes on what it was called as: Node does not tell. */
const called = '--argv0=';

/** Standard output may be a pipe that is full or closed; nothing better can be done about it than to go on. */
function writeOut(fd: number, text: string): void {
  try {
    writeSync(fd, text);
  } catch {
    // Nobody reads.
  }
}

const first = process.argv[2];
const wasCalled = first?.startsWith(called) === true;
const program = wasCalled ? first.slice(called.length) : 'concierge-ga';

async function main(): Promise<void> {
  const result = await runProgram({
    program,
    words: process.argv.slice(wasCalled ? 3 : 2),
    process,
    composition: () => import('../container.ts'),
    print: (text) => writeOut(1, text),
    complain: (text) => writeOut(2, `${text}\n`),
  });

  if ('signal' in result) process.kill(process.pid, result.signal);
  else exit(result.status);
}

// Not awaited here: the bundle is CommonJS, which has no such thing.
void main();
