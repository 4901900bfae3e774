// SPDX-License-Identifier: Apache-2.0
/**
 * Bundles the agent for Node 22 and later: one script with all that every start needs, one for each part that few starts
 * need, and V8's code cache of the first. ES modules would cost a millisecond a file at the start, a startup snapshot is
 * refused as a whole on another processor; a code cache that does not fit is only not used.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';

const root = resolve(import.meta.dirname, '..');
const dist = join(root, 'dist');

/** Loaded when they are needed, from files of their own: what most agents never use. */
const onDemand = [
  /^adapters\/fake\/module\.ts$/,
  /^adapters\/windows\/module\.ts$/,
  /^adapters\/logging\/winston-pipeline\.ts$/,
  /^adapters\/cli\/daemon\.ts$/,
  /^adapters\/third-party\/third-party-backend\.ts$/,
  /^adapters\/scenario\.ts$/,
  /^adapters\/policy\/parse-policy\.ts$/,
  /^adapters\/cli\/subcommands\/(?!index\.ts$)/,
];

/** The one with a code cache. */
const cached = 'agent.cjs';

const chunkName = (source: string): string => `${source.replace(/^adapters\//, '').replaceAll('/', '-').replace(/\.ts$/, '')}.cjs`;

/** Turns a dynamic import of such a part into one of its file, and notes that the file has to be made. */
const separately = (parts: Set<string>): Plugin => ({
  name: 'separately',
  setup(building) {
    building.onResolve({ filter: /^\./ }, ({ path, kind, resolveDir }) => {
      if (kind !== 'dynamic-import') return undefined;
      const source = resolve(resolveDir, path).slice(root.length + 1);
      if (!onDemand.some((pattern) => pattern.test(source))) return undefined;
      parts.add(source);
      return { path: `./${chunkName(source)}`, external: true };
    });
  },
});

/** Parts of Node that take milliseconds to load, and that an agent seldom needs: loaded when one of their names is used. */
const slowBuiltins = /^node:(?:child_process|crypto|fs\/promises|net|timers\/promises|tty)$/;

/** What a file imports by name from a module, types left out. */
async function importedNames(file: string, module: string): Promise<string[]> {
  const list = new RegExp(`import \\{([^}]*)\\} from '${module}'`).exec(await readFile(file, 'utf8'))?.[1];
  if (list === undefined) throw new Error(`${file}: import from ${module} by name, so that it can be loaded when it is used`);
  return list.split(',').map((name) => name.trim()).filter((name) => name !== '' && !name.startsWith('type ')).map((name) => name.replace(/ as .*/, ''));
}

/** Puts an object in the place of such a part whose members look it up. No class can extend one of its own at the start. */
const whenUsed: Plugin = {
  name: 'when-used',
  setup(building) {
    building.onResolve({ filter: slowBuiltins }, async ({ path, kind, importer }) => {
      if (kind !== 'import-statement' || !importer.startsWith(root) || importer.includes('node_modules')) return undefined;
      return { path: `${path} ${(await importedNames(importer, path)).join(' ')}`, namespace: 'when-used' };
    });
    building.onLoad({ filter: /^/, namespace: 'when-used' }, ({ path }) => {
      const [module = '', ...names] = path.split(' ');
      const members = names.map((name) => `get ${name}() { return require('${module}').${name}; }`);
      return { contents: `module.exports = { ${members.join(', ')} };`, loader: 'js' };
    });
  },
};

const withFileUrl = "const __fileUrl = require('node:url').pathToFileURL(__filename).href;";

/**
 * A function that is given what Node gives a module, as scripts/cached-start.cjs runs it with the code cache: made here, and not around
 * the text at each start, for that would be another half a megabyte of V8's heap.
 */
const asFunction = { banner: { js: `(function (exports, require, module, __filename, __dirname) {${withFileUrl}` }, footer: { js: '})' } };

async function bundle(source: string, outfile: string, parts: Set<string>): Promise<void> {
  await build({
    entryPoints: [join(root, source)],
    outfile: join(dist, outfile),
    bundle: true,
    format: 'cjs',
    platform: 'node',
    target: 'node22',
    // `import()` of a literal becomes `require`: it needs no loader of ES modules.
    supported: { 'dynamic-import': false },
    minify: true,
    legalComments: 'linked',
    define: { 'import.meta.url': '__fileUrl', 'import.meta.dirname': '__dirname' },
    ...(outfile === cached ? asFunction : { banner: { js: withFileUrl } }),
    external: ['koffi'],
    plugins: [separately(parts), whenUsed],
    logLevel: 'warning',
  });
}

/** Bundles an entry and, in turn, every part that it or another part loads on demand. */
async function bundleAll(entries: Readonly<Record<string, string>>): Promise<void> {
  const parts = new Set<string>();
  for (const [outfile, source] of Object.entries(entries)) await bundle(source, outfile, parts);
  // A set that grows while it is walked is walked to its new end.
  for (const source of parts) await bundle(source, chunkName(source), parts);
}

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
// `npm pack` and Node take a folder's type from its package.json.
writeFileSync(join(dist, 'package.json'), '{ "type": "commonjs" }\n');

const programs: Record<string, string> = { [cached]: 'adapters/cli/main.ts' };
if (existsSync(join(root, 'client/cli/main.ts'))) programs['ctl.cjs'] = 'client/cli/main.ts';
await bundleAll(programs);

copyFileSync(join(root, 'scripts/cached-start.cjs'), join(dist, 'concierge-ga.cjs'));
for (const binary of ['concierge.node', 'concierge-guardian', 'concierge-keeper']) {
  const built = join(root, 'build/Release', binary);
  if (existsSync(built)) copyFileSync(built, join(dist, basename(built)));
}
if (process.platform === 'linux' && existsSync(join(dist, 'concierge.node'))) {
  execFileSync(process.execPath, [join(dirname(import.meta.filename), 'build-code-cache.cjs'), join(dist, cached)], { stdio: 'inherit' });
}
