// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const repository = resolve(import.meta.dirname, '../../..');

/** The work of these tests, apart from what others build. */
export const cache = join(repository, '.cache/package-linux');

export const isRoot = process.getuid?.() === 0;

/** Where a program is on this machine; `undefined` where it is not. */
export const installed = (program: string): string | undefined =>
  ['/usr/bin', '/usr/sbin', '/bin', '/sbin'].map((directory) => join(directory, program)).find((path) => existsSync(path));

/** Files with compiled code in them, as far as they were built. */
export function hasBuild(): boolean {
  try {
    for (const file of ['dist/concierge-ga.cjs', 'build/Release/concierge.node']) accessSync(join(repository, file), constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Builds packages of dist/ and build/ as they are, and answers the path of each by its format. */
export function buildPackages(formats: readonly string[], directory: string, architecture: string = process.arch): Readonly<Record<string, string>> {
  const output = join(cache, directory);
  mkdirSync(output, { recursive: true });
  execFileSync(process.execPath, [join(repository, 'scripts/package.ts'), '--no-build', '--quick', `--output=${output}`, `--arch=${architecture}`, ...formats.map((format) => `--format=${format}`)], {
    cwd: repository,
    stdio: ['ignore', 'ignore', 'pipe'],
    // Any fixed time: without the repository's history there is none.
    env: { ...process.env, SOURCE_DATE_EPOCH: '1767225600' },
  });
  const find = (ending: string): string => join(output, readdirSync(output).find((name) => name.endsWith(ending)) ?? `no ${ending}`);
  return { deb: find('.deb'), rpm: find('.rpm'), tarball: find('.tar.gz') };
}

export const output = (program: string, ...words: readonly string[]): string => execFileSync(program, words, { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] });
