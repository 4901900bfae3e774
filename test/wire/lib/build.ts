// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync, utimesSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const repository = resolve(import.meta.dirname, '../../..');

/** Newest change below a folder, in milliseconds; 0 where there is none. */
function changed(path: string): number {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) return 0;
  if (!status.isDirectory()) return status.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => changed(join(path, name))));
}

const newest = (...paths: string[]): number => Math.max(...paths.map((path) => changed(join(repository, path))));

const run = (script: string): void => {
  execFileSync(process.execPath, [join(repository, 'scripts', script)], { stdio: 'inherit' });
};

/** Once before all files of the project: the tests run what ships, so what ships has to be what the sources say. */
export function setup(): void {
  if (newest('build/Release/concierge.node', 'build/Release/concierge-guardian') < newest('native/linux')) {
    run('build-native.ts');
    // A source that changed nothing leaves it as old as it was, and the next run would build again.
    const now = new Date();
    utimesSync(join(repository, 'build/Release/concierge.node'), now, now);
  }
  const bundle = newest('dist/concierge-ga.cjs');
  if (bundle < newest('core', 'adapters', 'client', 'scripts', 'package-lock.json', 'build/Release/concierge.node', 'build/Release/concierge-guardian')) run('build-bundle.ts');
}
