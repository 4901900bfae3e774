/** Bundles the agent for Node 22 and later: one entry, and chunks for what is only loaded when it is needed. */
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const root = resolve(import.meta.dirname, '..');

/** CommonJS packages (winston) look for `require`, which an ES module lacks. */
const requireForCommonJs = "import { createRequire as createRequireOf } from 'node:module'; const require = createRequireOf(import.meta.url);";

async function buildBundle(): Promise<void> {
  const dist = join(root, 'dist');
  await rm(dist, { recursive: true, force: true });
  await mkdir(dist, { recursive: true });
  await build({
    entryPoints: { 'concierge-ga': join(root, 'adapters/cli/main.ts') },
    outdir: dist,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    minify: true,
    legalComments: 'linked',
    banner: { js: requireForCommonJs },
    external: ['koffi'],
    outExtension: { '.js': '.mjs' },
  });
  for (const binary of ['concierge.node', 'concierge-guardian']) {
    const built = join(root, 'build/Release', binary);
    if (existsSync(built)) await copyFile(built, join(dist, binary));
  }
}

await buildBundle();
