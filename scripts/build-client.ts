// SPDX-License-Identifier: Apache-2.0
/**
 * What the package concierge-client is made of: ES modules with their types for Node 20 and later, and its program in few files.
 * The parts of the core that it shares with the agent (protocol, schema, errors) go along.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { build } from 'esbuild';

const root = resolve(import.meta.dirname, '..');
const client = join(root, 'client');
const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

rmSync(join(client, 'lib'), { recursive: true, force: true });
execFileSync(process.execPath, [compiler, '-p', join(client, 'tsconfig.json')], { stdio: 'inherit', cwd: client });
await build({
  entryPoints: [join(client, 'cli/main.ts')],
  outdir: join(client, 'lib/ctl'),
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  chunkNames: 'part-[hash]',
  logLevel: 'warning',
});
copyFileSync(join(root, 'LICENSE'), join(client, 'LICENSE'));
