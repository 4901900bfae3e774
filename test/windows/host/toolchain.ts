// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** mingw-w64 of Debian, with threads of Windows. */
const compiler = 'x86_64-w64-mingw32-g++';

/** Compiles C++ for 64-bit Windows into one file that needs no run-time DLLs, and answers its path. */
export function compileForWindows(source: string, output: string, flags: readonly string[] = []): string {
  execFileSync(compiler, ['-O2', '-static', '-static-libgcc', '-static-libstdc++', '-o', output, source, ...flags], { stdio: ['ignore', 'ignore', 'inherit'] });
  return output;
}

/** Runs a program of Windows to its end and answers what it printed. Wine can't print to a pipe of Unix: to a file. */
export function runUnderWine(executable: string, ...args: readonly string[]): string {
  const directory = mkdtempSync(join(tmpdir(), 'concierge-wine-'));
  const path = join(directory, 'out');
  const file = openSync(path, 'w');
  try {
    execFileSync('/usr/lib/wine/wine64', [executable, ...args], { stdio: ['ignore', file, 'ignore'] });
    return readFileSync(path, 'utf8');
  } finally {
    closeSync(file);
    rmSync(directory, { recursive: true });
  }
}
