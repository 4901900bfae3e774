// SPDX-License-Identifier: Apache-2.0
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { cache } from './archive.ts';
import { run } from './host.ts';

const repository = resolve(import.meta.dirname, '../../..');
const payload = join(repository, '.cache/vm/packages');

/** Debian packages on the payload's disk: the guest has no network to fetch any from. */
export interface GuestPackages {
  /** A directory to boot a machine with. */
  readonly payload: string;
  /** Paths in the guest. `ours` is what the packaging makes of dist/ and build/ as they are. */
  readonly ours: string;
  readonly reference: string;
  /** The same as ours under the version after it. */
  readonly newer?: string;
}

export async function guestPackages({ newer = false } = {}): Promise<GuestPackages> {
  rmSync(payload, { recursive: true, force: true });
  mkdirSync(payload, { recursive: true });
  await run(process.execPath, [join(repository, 'scripts/package.ts'), '--no-build', '--quick', `--output=${payload}`, '--format=deb'], { cwd: repository });
  const ours = theOne(/^concierge-ga_/);
  const fetched = await referencePackage();
  const reference = join(payload, basename(fetched));
  copyFileSync(fetched, reference);
  return { payload, ours: inGuest(ours), reference: inGuest(reference), ...(newer && { newer: inGuest(await successor(ours)) }) };
}

/** Debian's own of this machine's release, fetched once. */
export async function referencePackage(): Promise<string> {
  const place = join(cache, 'reference-package');
  if (!existsSync(place)) {
    const making = `${place}.making`;
    rmSync(making, { recursive: true, force: true });
    mkdirSync(making, { recursive: true });
    // apt's own user cannot write below the cache of root.
    await run('apt-get', ['download', '-q', '-o', 'APT::Sandbox::User=root', 'qemu-guest-agent'], { cwd: making });
    renameSync(making, place);
  }
  return theOne(/^qemu-guest-agent_/, place);
}

function theOne(pattern: RegExp, directory = payload): string {
  const name = readdirSync(directory).find((entry) => pattern.test(entry));
  if (name === undefined) throw new Error(`there is no package ${pattern} in ${directory}`);
  return join(directory, name);
}

const inGuest = (file: string): string => `/payload/${basename(file)}`;

/** Not compressed: it costs an emulated processor more than a disk. */
async function successor(file: string): Promise<string> {
  const tree = join(payload, 'tree');
  await run('dpkg-deb', ['--raw-extract', file, tree]);
  const control = join(tree, 'DEBIAN/control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, '$&.1'));
  const made = join(payload, 'newer.deb');
  await run('dpkg-deb', ['-Znone', '--root-owner-group', '--build', tree, made]);
  rmSync(tree, { recursive: true });
  const place = join(payload, `concierge-ga_newer.deb`);
  renameSync(made, place);
  return place;
}
