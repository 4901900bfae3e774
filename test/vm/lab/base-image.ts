// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { run } from './host.ts';
import * as recipe from './recipe.ts';

export interface BaseImage {
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
}

const repository = resolve(import.meta.dirname, '../../..');
const cache = join(repository, '.cache/vm');

/** Debian's stable name of this lab's guest. */
const SUITE = 'bookworm';
const DISK_SIZE = '2G';

/** The image that all machines start from, made once and kept below `.cache/`. */
export async function baseImage(): Promise<BaseImage> {
  // Sorted: Node and the test runner list the exports of a module in different orders.
  const ingredients = Object.entries(recipe).toSorted(([one], [other]) => (one < other ? -1 : 1));
  const key = createHash('sha256').update(JSON.stringify(ingredients)).update(readFileSync(import.meta.filename)).digest('hex').slice(0, 16);
  const directory = join(cache, `base-${key}`);
  const image = { disk: join(directory, 'root.qcow2'), kernel: join(directory, 'vmlinuz'), initrd: join(directory, 'initrd') };
  if (existsSync(directory)) return image;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'making-'));
  try {
    await make(work);
    rmSync(join(work, 'root'), { recursive: true });
    rmSync(join(work, 'kernel'), { recursive: true });
    for (const old of readdirSync(cache).filter((name) => name.startsWith('base-'))) rmSync(join(cache, old), { recursive: true });
    renameSync(work, directory);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return image;
}

async function make(work: string): Promise<void> {
  const root = join(work, 'root');
  await Promise.all([debootstrap(root), fetchKernel(work)]);
  const version = readdirSync(join(work, 'kernel/lib/modules'))[0] ?? '';
  copyFileSync(join(work, `kernel/boot/vmlinuz-${version}`), join(work, 'vmlinuz'));

  const boot = await copyModules(work, version, recipe.bootModules);
  await copyModules(work, version, recipe.guestModules);
  await run('depmod', ['-b', root, version]);
  await makeInitrd(work, boot);
  furnish(root);

  const raw = join(work, 'root.raw');
  await run('mke2fs', ['-q', '-t', 'ext4', '-L', 'root', '-E', 'root_owner=0:0', '-d', root, raw, DISK_SIZE]);
  await run('qemu-img', ['convert', '-O', 'qcow2', raw, join(work, 'root.qcow2')]);
  rmSync(raw);
}

/** From the machine's own sources of the suite; mmdebstrap finds their keys. */
async function debootstrap(root: string): Promise<void> {
  const sources = await aptSources();
  await run('mmdebstrap', ['--mode=root', '--variant=minbase', '--quiet', `--include=${recipe.guestPackages.join(',')}`, SUITE, root, ...sources]);
}

async function aptSources(): Promise<readonly string[]> {
  const targets = await run('apt-get', ['indextargets', '--format', '$(SITE)|$(RELEASE)|$(COMPONENT)', 'Created-By: Packages']);
  const lines = targets
    .split('\n')
    .map((line) => line.split('|'))
    .filter(([, release, component]) => release?.startsWith(SUITE) === true && component === 'main')
    .map(([site, release, component]) => `deb ${site} ${release} ${component}`);
  return [...new Set(lines)];
}

async function fetchKernel(work: string): Promise<void> {
  const depends = await run('apt-cache', ['depends', 'linux-image-cloud-amd64']);
  const name = /Depends: (linux-image-[0-9]\S+)/.exec(depends)?.[1];
  if (name === undefined) throw new Error(`linux-image-cloud-amd64 depends on no kernel: ${depends}`);
  // apt's own user cannot write below the cache of root.
  await run('apt-get', ['download', '-q', '-o', 'APT::Sandbox::User=root', name], { cwd: work });
  const file = readdirSync(work).find((entry) => entry.endsWith('.deb'));
  if (file === undefined) throw new Error(`${name} was not downloaded`);
  await run('dpkg', ['-x', join(work, file), join(work, 'kernel')]);
  rmSync(join(work, file));
  await run('depmod', ['-b', join(work, 'kernel'), name.replace('linux-image-', '')]);
}

/** Copies modules and what they need into the root; resolves to their paths, dependencies first. */
async function copyModules(work: string, version: string, modules: readonly string[]): Promise<readonly string[]> {
  const paths = new Set<string>();
  for (const module of modules) {
    const needed = await run('modprobe', ['-d', join(work, 'kernel'), '-S', version, '--show-depends', module]);
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

async function makeInitrd(work: string, modules: readonly string[]): Promise<void> {
  const tree = join(work, 'initramfs');
  for (const directory of ['bin', 'lib', 'proc', 'sys', 'dev', 'root']) mkdirSync(join(tree, directory), { recursive: true });
  copyFileSync((await run('sh', ['-c', 'command -v busybox'])).trim(), join(tree, 'bin/busybox'));
  for (const module of modules) copyFileSync(module, join(tree, 'lib', basename(module)));
  writeFileSync(join(tree, 'modules'), modules.map((module) => basename(module)).join('\n'));
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
