// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { cache, sourcesOf } from './archive.ts';
import { run } from './host.ts';
import { host, hosts, type HostName } from './pair.ts';

const repository = resolve(import.meta.dirname, '../../..');

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
  const root = await hostSystem();
  if (root === undefined) return words;
  return ['unshare', '--mount', 'sh', '-c', `${sharingScript(root)}exec chroot ${root} "$@"`, 'sh', ...words];
}
