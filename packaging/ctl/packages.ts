// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

import { filesBelow, settle, writeTree, type Entry } from '../file-tree.ts';
import { facts, repository, revision, wrapped } from '../product-facts.ts';
import { ctlFacts } from './facts.ts';
import { ctlDoc, ctlLayout } from './layout.ts';

const version = `${facts.version}-${revision}`;

export interface CtlPackageOptions {
  /** Emptied. */
  readonly work: string;
  readonly output: string;
  /** Seconds since 1970. */
  readonly date: number;
}

/** Builds the package for hosts with Debian, Proxmox VE and their relatives. Answers its path. */
export async function ctlDebianPackage({ work, output, date }: CtlPackageOptions): Promise<string> {
  writeTree(work, [
    ...(await ctlLayout(date)),
    { path: `${ctlDoc}/copyright`, text: copyright(date) },
    { path: `${ctlDoc}/changelog.Debian.gz`, text: gzipSync(changelog(date), { level: 9 }) },
  ], date);
  const files = filesBelow(work);
  const regular = files.filter((file) => lstatSync(join(work, file)).isFile());
  const control = join(work, 'DEBIAN');
  mkdirSync(control);
  writeFileSync(join(control, 'control'), controlFile(files.reduce((sum, file) => sum + Math.ceil(lstatSync(join(work, file)).size / 1024), 0)));
  writeFileSync(join(control, 'md5sums'), regular.map((file) => `${createHash('md5').update(readFileSync(join(work, file))).digest('hex')}  ${file}\n`).join(''));
  settle(control, date);
  const file = join(output, `${ctlFacts.name}_${version}_all.deb`);
  execFileSync('dpkg-deb', ['-Zxz', '--root-owner-group', '--build', work, file], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, SOURCE_DATE_EPOCH: String(date) } });
  return file;
}

/** Builds the package for hosts with Fedora, Red Hat's and SUSE's systems. Answers its path. */
export async function ctlRpmPackage({ work, output, date }: CtlPackageOptions): Promise<string> {
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const tree = join(work, 'tree');
  const entries: readonly Entry[] = [...(await ctlLayout(date)), { path: '/usr/share/licenses/concierge-ctl/LICENSE', copyOf: join(repository, 'LICENSE') }];
  writeTree(tree, entries, date);
  const spec = join(work, 'concierge-ctl.spec');
  writeFileSync(spec, specification(entries));
  const name = `${ctlFacts.name}-${version}.noarch.rpm`;
  const macros = {
    _topdir: join(work, 'build'), _rpmdir: output, _rpmfilename: name, tree, _buildhost: 'reproducible',
    use_source_date_epoch_as_buildtime: '1', clamp_mtime_to_source_date_epoch: '1', source_date_epoch_from_changelog: '0', _binary_payload: 'w6.xzdio',
  };
  execFileSync('rpmbuild', ['-bb', '--quiet', '--target', 'noarch', ...Object.entries(macros).flatMap(([key, value]) => ['--define', `${key} ${value}`]), spec],
    { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, SOURCE_DATE_EPOCH: String(date) } });
  return join(output, name);
}

const controlFile = (size: number): string => `Package: ${ctlFacts.name}
Version: ${version}
Architecture: all
Maintainer: ${facts.maintainer}
Installed-Size: ${size}
Depends: nodejs (>= ${ctlFacts.node})
Section: admin
Priority: optional
Description: ${ctlFacts.summary}
${ctlFacts.description.map((paragraph) => wrapped(paragraph, 78).map((line) => ` ${line}`).join('\n')).join('\n .\n')}
`;

const changelog = (date: number): string => `${ctlFacts.name} (${version}) unstable; urgency=medium

  * Release ${facts.version}.

 -- ${facts.maintainer}  ${new Date(date * 1000).toUTCString().replace('GMT', '+0000')}
`;

const copyright = (date: number): string => `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: Concierge

Files: *
Copyright: ${new Date(date * 1000).getUTCFullYear()} Concierge contributors
License: Apache-2.0
 On Debian systems, the full text of the Apache License, version 2.0, is in
 /usr/share/common-licenses/Apache-2.0.
`;

function specification(entries: readonly Entry[]): string {
  const owned = ['/usr/lib/concierge-ctl', '/usr/lib/concierge-ctl/bin', '/usr/lib/concierge-ctl/lib', '/usr/lib/concierge-ctl/lib/ctl', ctlDoc, `${ctlDoc}/examples`, '/usr/share/licenses/concierge-ctl'];
  const lineOf = ({ path }: Entry): string => (path.startsWith(ctlDoc) ? `%doc ${path}` : path.startsWith('/usr/share/licenses') ? `%license ${path}` : path);
  return `%global __os_install_post %{nil}
Name: ${ctlFacts.name}
Version: ${facts.version}
Release: ${revision}
Summary: ${ctlFacts.summary}
License: ${facts.licence}
BuildArch: noarch
Requires: nodejs >= ${ctlFacts.node}
AutoReqProv: no

%description
${ctlFacts.description.map((paragraph) => wrapped(paragraph, 78).join('\n')).join('\n\n')}

%install
cp -a %{tree}/. %{buildroot}/

%files
${[...owned.map((path) => `%dir ${path}`), ...entries.map(lineOf)].join('\n')}
`;
}
