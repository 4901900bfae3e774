// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { aptOf, cache, sourcesOf } from './archive.ts';
import { run } from './host.ts';
import { host, hosts, type HostName } from './pair.ts';

const repository = resolve(import.meta.dirname, '../../..');

/** Whether the machines of this run need no libvirt: QEMU alone is there in seconds. */
const isWithoutLibvirt = process.env['CONCIERGE_TEST_VM_LIBVIRT'] === '0';

/** What a machine of raw QEMU needs of the host, for a chroot; `undefined` for what this machine itself has. */
export const qemuSystem = (name: HostName = host): Promise<string | undefined> => (isWithoutLibvirt ? qemuAlone(name) : hostSystem(name));

/** The host's QEMU and what it depends on, unpacked and not installed. */
async function qemuAlone(name: HostName): Promise<string | undefined> {
  const { suite } = hosts[name];
  if (suite === 'bookworm') return undefined;
  const root = join(cache, `qemu-${name}`);
  if (existsSync(root)) return root;
  const env = await aptOf('trixie', suite);
  const work = mkdtempSync(join(cache, 'making-'));
  try {
    const archives = join(work, 'archives');
    const making = join(work, 'root');
    mkdirSync(join(archives, 'partial'), { recursive: true });
    mkdirSync(join(making, 'usr'), { recursive: true });
    // What this machine has installed counts for nothing there.
    writeFileSync(join(work, 'status'), '');
    const settings = [`Dir::State::status=${join(work, 'status')}`, `Dir::Cache::archives=${archives}`, 'Debug::NoLocking=true'].flatMap((setting) => ['-o', setting]);
    await run('apt-get', ['install', '-y', '-q', '--download-only', '--no-install-recommends', ...settings, '-t', suite, 'qemu-system-x86'], { env });
    for (const folder of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${folder}`, join(making, folder));
    for (const file of readdirSync(archives).filter((one) => one.endsWith('.deb'))) await run('dpkg', ['-x', join(archives, file), making]);
    renameSync(making, root);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return root;
}

/** A whole system with the host's libvirt and QEMU, made once, for a chroot; `undefined` for what this machine itself has. */
export async function hostSystem(name: HostName = host): Promise<string | undefined> {
  const { suite } = hosts[name];
  if (suite === 'bookworm') return undefined;
  const root = join(cache, `host-${name}`);
  if (existsSync(root)) return root;
  mkdirSync(cache, { recursive: true });
  const sources = join(cache, `host-${name}.list`);
  writeFileSync(sources, (await sourcesOf(...new Set(['trixie', suite]))).map((line) => `${line}\n`).join(''));
  const making = `${root}.making`;
  rmSync(making, { recursive: true, force: true });
  await run('mmdebstrap', ['--mode=root', '--variant=minbase', 'trixie', making, sources]);
  const install = `DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -t ${suite}`;
  await run('chroot', [making, 'sh', '-c', `apt-get update -qq --error-on=any && ${install} libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients && ${install} qemu-system-x86 qemu-utils`]);
  await run('chroot', [making, 'apt-get', 'clean']);
  renameSync(making, root);
  return root;
}

/** Mounts in the system what this machine has: its devices, and the same names for sockets and images on both sides. For a mount namespace. */
export function sharingScript(root: string): string {
  const shared = new Set(['/dev', '/proc', '/sys', '/run', '/tmp', tmpdir(), repository]);
  return [...shared].map((one) => `mkdir -p ${root}${one} && mount --rbind ${one} ${root}${one} && `).join('');
}

/** The words that run a program of the host, as the one process that they start. */
export async function ofHost(...words: readonly string[]): Promise<readonly string[]> {
  const root = await qemuSystem();
  if (root === undefined) return words;
  return ['unshare', '--mount', 'sh', '-c', `${sharingScript(root)}exec chroot ${root} "$@"`, 'sh', ...words];
}
