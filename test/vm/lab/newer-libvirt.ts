// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { run } from './host.ts';

const cache = resolve(import.meta.dirname, '../../../.cache/vm');

/** A Debian 13 with the libvirt and the QEMU of its backports, made once: for a chroot. */
export async function newerLibvirt(): Promise<string> {
  const root = join(cache, 'newer-libvirt');
  if (existsSync(root)) return root;
  mkdirSync(cache, { recursive: true });
  const sources = join(cache, 'trixie.list');
  const line = (suite: string): string => `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian ${suite} main\n`;
  writeFileSync(sources, line('trixie') + line('trixie-backports'));
  const making = `${root}.making`;
  rmSync(making, { recursive: true, force: true });
  await run('mmdebstrap', ['--mode=root', '--variant=minbase', 'trixie', making, sources]);
  const install = 'DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -t trixie-backports';
  await run('chroot', [making, 'sh', '-c', `${install} libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients && ${install} qemu-system-x86 qemu-utils`]);
  await run('chroot', [making, 'apt-get', 'clean']);
  renameSync(making, root);
  return root;
}
