// SPDX-License-Identifier: Apache-2.0
/** Debian's qemu-ga of three generations: unpacked beside each other, run by their own loader, and never installed. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const cache = resolve(import.meta.dirname, '../../.cache/references');

/** What `--reference` and `CONCIERGE_REFERENCE` name: suite of the agent, suite of its libraries, and what it is linked with. */
const releases = {
  '7.2': { suite: 'bookworm', base: 'bookworm', glib: 'libglib2.0-0' },
  '10.0': { suite: 'trixie', base: 'trixie', glib: 'libglib2.0-0t64' },
  '11.1': { suite: 'trixie-backports', base: 'trixie', glib: 'libglib2.0-0t64' },
} as const;

export type Release = keyof typeof releases;
export const allReleases = Object.keys(releases) as Release[];
export const isRelease = (text: string): text is Release => Object.hasOwn(releases, text);

const libraries = ['libc6', 'libpcre2-8-0', 'liburing2', 'libudev1', 'libnuma1', 'libcap2', 'libgcc-s1', 'libatomic1', 'zlib1g'];

/** Program and arguments in front of the agent's own; downloads what is missing. @throws where that can't be */
export function referenceCommand(release: Release): string[] {
  const root = join(cache, release);
  if (!existsSync(join(root, 'usr/sbin/qemu-ga'))) unpack(release, root);
  const loader = ['usr/lib64', 'lib64'].map((folder) => join(root, folder, 'ld-linux-x86-64.so.2')).find((path) => existsSync(path));
  if (loader === undefined) throw new Error(`no loader below ${root}`);
  const paths = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu'].map((folder) => join(root, folder)).join(':');
  return [loader, '--library-path', paths, '--argv0', 'qemu-ga', join(root, 'usr/sbin/qemu-ga')];
}

function unpack(release: Release, root: string): void {
  const { suite, base, glib } = releases[release];
  const apt = privateApt();
  const archives = join(cache, `${release}.archives`);
  const begun = `${root}.new`;
  for (const folder of [archives, begun]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
  }
  const wanted = [`qemu-guest-agent/${suite}`, ...[glib, ...libraries].map((name) => `${name}/${base}`)];
  execFileSync('apt-get', ['download', '-qq', ...wanted], { cwd: archives, env: { ...process.env, APT_CONFIG: apt }, stdio: ['ignore', 'ignore', 'pipe'] });
  for (const archive of readdirSync(archives)) execFileSync('dpkg', ['-x', join(archives, archive), begun]);
  rmSync(archives, { recursive: true });
  rmSync(root, { recursive: true, force: true });
  renameSync(begun, root);
}

/** A configuration of apt for all three suites that leaves this machine's own as it is; answers its path. */
function privateApt(): string {
  const folder = join(cache, 'apt');
  const path = join(folder, 'apt.conf');
  if (existsSync(join(folder, 'updated'))) return path;
  for (const name of ['etc/apt.conf.d', 'etc/preferences.d', 'state/lists/partial', 'cache/archives/partial']) mkdirSync(join(folder, name), { recursive: true });
  const suites = [...new Set(Object.values(releases).flatMap(({ suite, base }) => [suite, base]))];
  const key = '/usr/share/keyrings/debian-archive-keyring.gpg';
  writeFileSync(join(folder, 'etc/sources.list'), suites.map((suite) => `deb [signed-by=${key}] ${mirror()} ${suite} main\n`).join(''));
  const settings = {
    'Dir::Etc': join(folder, 'etc'), 'Dir::Etc::SourceParts': '-', 'Dir::State': join(folder, 'state'), 'Dir::Cache': join(folder, 'cache'),
    'APT::Sandbox::User': process.getuid?.() === 0 ? 'root' : '', 'Acquire::Languages': 'none',
  };
  writeFileSync(path, Object.entries(settings).map(([name, value]) => `${name} "${value}";\n`).join(''));
  execFileSync('apt-get', ['update', '-qq'], { env: { ...process.env, APT_CONFIG: path }, stdio: ['ignore', 'ignore', 'pipe'] });
  writeFileSync(join(folder, 'updated'), '');
  return path;
}

/** Where this machine takes Debian from. */
function mirror(): string {
  const targets = execFileSync('apt-get', ['indextargets', '--format', '$(REPO_URI) $(ORIGIN) $(SUITE) $(COMPONENT) $(CODENAME)', 'Created-By: Packages'], { encoding: 'utf8' });
  const uri = targets.split('\n').map((line) => line.split(' ')[0] ?? '').find((one) => /\/debian\/$/.test(one));
  if (uri === undefined) throw new Error("this machine's apt knows no archive of Debian");
  return uri;
}

/** The reference, or why it can't be had: for tests that are skipped without it. */
export function findReference(release: Release): { readonly command: readonly string[] } | string {
  try {
    return { command: referenceCommand(release) };
  } catch (error) {
    const text = error instanceof Error ? (error.message.split('\n').find((line) => line.startsWith('E:')) ?? error.message.split('\n')[0] ?? '') : String(error);
    return `needs Debian's qemu-ga ${release}: ${text}`;
  }
}
