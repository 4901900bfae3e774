// SPDX-License-Identifier: Apache-2.0
/**
 * Writes the API reference of the kit, the contract suite, the fake and the client to `dist-docs/`, by typedoc.
 *
 * Typedoc reads types through TypeScript's JavaScript API, which TypeScript 7 does not have: it brings a TypeScript of its own, in a
 * folder of its own, so that the project's dependencies stay as they are.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const tools = join(root, '.cache/api-reference');
const output = join(root, 'dist-docs');
const pinned = { typedoc: '0.28.20', typescript: '6.0.3' };
const entries = ['kit/index.ts', 'kit/contract/index.ts', 'kit/fake/index.ts', 'client/index.ts'].map((entry) => join(root, entry));

const manifest = join(tools, 'package.json');
const wanted = `${JSON.stringify({ private: true, dependencies: pinned }, undefined, 2)}\n`;
if (!existsSync(manifest) || readFileSync(manifest, 'utf8') !== wanted || !existsSync(join(tools, 'node_modules/typedoc'))) {
  mkdirSync(tools, { recursive: true });
  writeFileSync(manifest, wanted);
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', '--ignore-scripts'], {
    cwd: tools, stdio: 'inherit', env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` },
  });
}
const project = join(tools, 'tsconfig.json');
writeFileSync(project, JSON.stringify({ extends: join(root, 'tsconfig.json'), compilerOptions: { typeRoots: [join(root, 'node_modules/@types')] }, files: entries }));
execFileSync(
  process.execPath,
  [
    join(tools, 'node_modules/typedoc/bin/typedoc'), '--tsconfig', project, ...entries.flatMap((entry) => ['--entryPoints', entry]),
    '--out', output, '--name', 'Concierge', '--readme', 'none', '--excludePrivate', '--logLevel', 'Error',
  ],
  { cwd: root, stdio: 'inherit' },
);
process.stdout.write(`${join(output, 'index.html')}\n`);
