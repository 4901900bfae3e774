// SPDX-License-Identifier: Apache-2.0
/** Everything that `npm ci` makes: the native parts and the bundle that ships. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

for (const step of ['build-native.ts', 'build-bundle.ts']) execFileSync(process.execPath, [join(import.meta.dirname, step)], { stdio: 'inherit' });
