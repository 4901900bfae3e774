// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { filesBelow, settle, writeTree, type Entry } from './file-tree.ts';
import { layout, maintainerScript, type LayoutOptions } from './layout.ts';
import { neededLibraries } from './needed-libraries.ts';
import { packagingFile, places } from './places.ts';
import { facts, revision, wrapped } from './product-facts.ts';

const version = `${facts.version}-${revision}`;

export interface PackageOptions extends LayoutOptions {
  /** Emptied. */
  readonly work: string;
  readonly output: string;
  /** Weak compression, for tests. */
  readonly quick: boolean;
}

/** Builds the package for Debian and its relatives. Answers its path. */
export function debianPackage({ work, output, quick, ...options }: PackageOptions): string {
  const { architecture, date, parts } = options;
  writeTree(work, [...layout(options), ...debianEntries(date)], date);

  const control = join(work, 'DEBIAN');
  const files = filesBelow(work);
  const size = files.reduce((sum, file) => sum + Math.ceil(lstatSync(join(work, file)).size / 1024), 0);
  mkdirSync(control);
  writeFileSync(join(control, 'control'), controlFile(architecture.debian, size, neededLibraries(parts)));
  writeFileSync(join(control, 'md5sums'), checksums(work, files));
  for (const name of ['postinst', 'prerm', 'postrm']) {
    writeFileSync(join(control, name), maintainerScript(packagingFile(`debian/${name}.sh`)));
    chmodSync(join(control, name), 0o755);
  }
  writeFileSync(join(control, 'conffiles'), files.filter((file) => file.startsWith('etc/')).map((file) => `/${file}\n`).join(''));
  for (const name of ['control', 'md5sums', 'conffiles']) chmodSync(join(control, name), 0o644);
  settle(control, date);

  const file = join(output, `${facts.name}_${version}_${architecture.debian}.deb`);
  const compression = quick ? ['-Zgzip', '-z1'] : ['-Zxz', '-z6', '--threads-max=2'];
  execFileSync('dpkg-deb', [...compression, '--root-owner-group', '--build', work, file], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SOURCE_DATE_EPOCH: String(date) },
  });
  return file;
}

const debianEntries = (date: number): readonly Entry[] => [
  // For Debian without systemd, and Devuan.
  { path: '/etc/init.d/concierge-ga', text: packagingFile('sysvinit/concierge-ga').replaceAll('@LIBDIR@', places.lib), mode: 0o755 },
  // Debian's own qemu-guest-agent has its program there.
  { path: '/usr/sbin/qemu-ga', linkTo: '../lib/concierge-ga/bin/concierge-ga' },
  { path: `${places.doc}/copyright`, text: copyright(date) },
  { path: `${places.doc}/changelog.Debian.gz`, text: gzipSync(changelog(date), { level: 9 }) },
  { path: '/usr/share/lintian/overrides/concierge-ga', text: packagingFile('debian/lintian-overrides') },
];

const controlFile = (architecture: string, size: number, libraries: ReturnType<typeof neededLibraries>): string => `Package: ${facts.name}
Version: ${version}
Architecture: ${architecture}
Maintainer: ${facts.maintainer}
Installed-Size: ${size}
Depends: libc6 (>= ${libraries.glibc}), libgcc-s1 (>= 3.0), libstdc++6 (>= ${libraries.gcc})
Provides: qemu-guest-agent (= 1:${facts.compatibleWith})
Conflicts: qemu-guest-agent
Replaces: qemu-guest-agent
Section: admin
Priority: optional
Description: ${facts.summary}
${facts.description.map((paragraph) => wrapped(paragraph, 78).map((line) => ` ${line}`).join('\n')).join('\n .\n')}
`;

const checksums = (root: string, files: readonly string[]): string =>
  files
    .filter((file) => lstatSync(join(root, file)).isFile())
    .map((file) => `${createHash('md5').update(readFileSync(join(root, file))).digest('hex')}  ${file}\n`)
    .join('');

const changelog = (date: number): string => `${facts.name} (${version}) unstable; urgency=medium

  * Release ${facts.version}.

 -- ${facts.maintainer}  ${new Date(date * 1000).toUTCString().replace('GMT', '+0000')}
`;

const copyright = (date: number): string => `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Concierge
Comment: The licences of Node.js and of the libraries in the bundle are in
 ${places.doc}/third-party-licences.txt

Files: *
Copyright: ${new Date(date * 1000).getUTCFullYear()} Concierge contributors
License: Apache-2.0
 On Debian systems, the full text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
`;
