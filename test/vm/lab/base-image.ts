// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { aptOf, cache, sourcesOf } from './archive.ts';
import { run } from './host.ts';
import { guest, guests } from './pair.ts';
import * as recipe from './recipe.ts';

export interface BaseImage {
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
}

/** The release of this lab's guest, and where its kernel and its qemu-guest-agent are from. */
const { base, suite } = guests[guest];
const DISK_SIZE = '2G';

/** What all machines start from, and one with all file systems that Debian can make, whose kernel has their drivers. */
export type Kind = keyof typeof kinds;
const kinds = {
  base: { kernel: 'linux-image-cloud-amd64', packages: [], modules: [] },
  'file-systems': { kernel: 'linux-image-amd64', packages: recipe.fileSystemPackages, modules: recipe.fileSystemModules },
} as const;

/** The image that machines of the kind start from, made once and kept below `.cache/`. */
export async function baseImage(kind: Kind = 'base'): Promise<BaseImage> {
  // Sorted: Node and the test runner list the exports of a module in different orders.
  const ingredients = Object.entries(recipe).toSorted(([one], [other]) => (one < other ? -1 : 1));
  const key = createHash('sha256').update(JSON.stringify([guests[guest], ingredients])).update(readFileSync(import.meta.filename)).digest('hex').slice(0, 16);
  const directory = join(cache, `${kind}-${guest}-${key}`);
  const image = { disk: join(directory, 'root.qcow2'), kernel: join(directory, 'vmlinuz'), initrd: join(directory, 'initrd') };
  if (existsSync(directory)) return image;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'making-'));
  try {
    await make(work, kind);
    rmSync(join(work, 'root'), { recursive: true });
    rmSync(join(work, 'kernel'), { recursive: true });
    for (const old of readdirSync(cache).filter((name) => name.startsWith(`${kind}-${guest}-`))) rmSync(join(cache, old), { recursive: true });
    renameSync(work, directory);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return image;
}

async function make(work: string, kind: Kind): Promise<void> {
  const root = join(work, 'root');
  await Promise.all([debootstrap(root, kind), fetchKernel(work, kind)]);
  const version = readdirSync(join(work, 'kernel/lib/modules'))[0] ?? '';
  const images = [`kernel/boot/vmlinuz-${version}`, `kernel/lib/modules/${version}/vmlinuz`].map((path) => join(work, path));
  copyFileSync(images.find((path) => existsSync(path)) ?? `no vmlinuz of ${version}`, join(work, 'vmlinuz'));

  const boot = await copyModules(work, version, recipe.bootModules);
  await copyModules(work, version, [...recipe.guestModules, ...kinds[kind].modules]);
  await run('depmod', ['-b', root, version]);
  await makeInitrd(work, boot);
  furnish(root);

  const raw = join(work, 'root.raw');
  await run('mke2fs', ['-q', '-t', 'ext4', '-L', 'root', '-E', 'root_owner=0:0', '-d', root, raw, DISK_SIZE]);
  await run('qemu-img', ['convert', '-O', 'qcow2', raw, join(work, 'root.qcow2')]);
  rmSync(raw);
}

async function debootstrap(root: string, kind: Kind): Promise<void> {
  const sources = await sourcesOf(...new Set([base, suite]));
  const packages = [...recipe.guestPackages, ...kinds[kind].packages].map((name) => (base === suite || name !== 'qemu-guest-agent' ? name : `${name}/${suite}`));
  await run('mmdebstrap', ['--mode=root', '--variant=minbase', `--include=${packages.join(',')}`, base, root, ...sources]);
}

async function fetchKernel(work: string, kind: Kind): Promise<void> {
  const env = await aptOf(suite);
  const name = await dependency(env, kinds[kind].kernel, /^linux-image-[0-9]/);
  // Newer kernels come in pieces, whose names end alike.
  const version = name.replace('linux-image-', '');
  const pieces = await run('apt-cache', ['search', '--names-only', `^linux-(base|binary|modules)-${version.replaceAll(/[.+]/g, String.raw`\$&`)}$`], { env });
  await run('apt-get', ['download', '-q', name, ...pieces.split('\n').flatMap((line) => line.split(' ', 1)).filter((piece) => piece !== '')], { cwd: work, env });
  const kernel = join(work, 'kernel');
  for (const file of readdirSync(work).filter((entry) => entry.endsWith('.deb'))) {
    await run('dpkg', ['-x', join(work, file), kernel]);
    rmSync(join(work, file));
  }
  // From Debian 13 on the modules are below /usr; the tools look below /lib.
  if (!existsSync(join(kernel, 'lib'))) symlinkSync('usr/lib', join(kernel, 'lib'));
  await run('depmod', ['-b', kernel, version]);
}

async function dependency(env: NodeJS.ProcessEnv, name: string, pattern: RegExp): Promise<string> {
  const depends = await run('apt-cache', ['depends', '--important', name], { env });
  const found = [...depends.matchAll(/Depends: (\S+)/g)].map(([, one = '']) => one).find((one) => pattern.test(one));
  if (found === undefined) throw new Error(`${name} depends on nothing like ${pattern}: ${depends}`);
  return found;
}

/** Copies modules and what they need into the root; resolves to their paths, dependencies first. */
async function copyModules(work: string, version: string, modules: readonly string[]): Promise<readonly string[]> {
  const paths = new Set<string>();
  for (const module of modules) {
    const needed = await run('modprobe', ['-d', join(work, 'kernel'), '-S', version, '--show-depends', module]).catch((error: unknown) => {
      if (![...recipe.olderModules, ...recipe.fileSystemModules].includes(module)) throw error;
      return '';
    });
    for (const line of needed.split('\n')) {
      const path = /^insmod (\S+)/.exec(line)?.[1];
      if (path !== undefined) paths.add(path);
    }
  }
  for (const path of paths) {
    const inside = path.slice(path.indexOf('/lib/modules/') + 1);
    mkdirSync(join(work, 'root', dirname(inside)), { recursive: true });
    copyFileSync(path, join(work, 'root', inside));
  }
  for (const list of ['modules.builtin', 'modules.order', 'modules.builtin.modinfo']) {
    copyFileSync(join(work, 'kernel/lib/modules', version, list), join(work, 'root/lib/modules', version, list));
  }
  return [...paths];
}

const plainName = (module: string): string => basename(module).replace(/\.(?:xz|zst)$/, '');

async function makeInitrd(work: string, modules: readonly string[]): Promise<void> {
  const tree = join(work, 'initramfs');
  for (const directory of ['bin', 'lib', 'proc', 'sys', 'dev', 'root']) mkdirSync(join(tree, directory), { recursive: true });
  copyFileSync((await run('sh', ['-c', 'command -v busybox'])).trim(), join(tree, 'bin/busybox'));
  // Packed in newer kernels, which busybox does not unpack.
  for (const module of modules) await run('sh', ['-c', 'case $1 in *.xz) xz -dc "$1";; *.zst) zstd -dqc "$1";; *) cat "$1";; esac >"$2"', 'sh', module, join(tree, 'lib', plainName(module))]);
  writeFileSync(join(tree, 'modules'), modules.map(plainName).join('\n'));
  writeFileSync(join(tree, 'init'), recipe.initScript, { mode: 0o755 });
  await run('sh', ['-c', `find . | cpio --quiet -o -H newc | gzip -1 > ${join(work, 'initrd')}`], { cwd: tree });
  rmSync(tree, { recursive: true });
}

function furnish(root: string): void {
  for (const { path, text, mode = 0o644 } of recipe.guestFiles) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    chmodSync(join(root, path), mode);
  }
  for (const unit of recipe.maskedUnits) {
    rmSync(join(root, 'etc/systemd/system', unit), { force: true });
    symlinkSync('/dev/null', join(root, 'etc/systemd/system', unit));
  }
  symlinkSync('/lib/systemd/system/systemd-networkd.service', join(root, 'etc/systemd/system/multi-user.target.wants/systemd-networkd.service'));
  rmSync(join(root, 'usr/share/doc'), { recursive: true });
  rmSync(join(root, 'usr/share/locale'), { recursive: true });
}
