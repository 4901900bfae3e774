// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { bashCompletion } from './bash-completion.ts';
import type { PackageOptions } from './debian-package.ts';
import { writeTree, type Entry } from './file-tree.ts';
import { documentationEntries, dropIns, programEntries, shareEntries, unitTemplate } from './layout.ts';
import { manPage } from './man-page.ts';
import { neededLibraries } from './needed-libraries.ts';
import { packagingFile } from './places.ts';
import { facts, repository, type Architecture } from './product-facts.ts';
import { standaloneScript } from './shell-script.ts';
import { thirdPartyLicences } from './third-party-licences.ts';

/** Builds the archive for every other Linux, with scripts that install and remove. Answers its path. */
export function tarball({ work, output, quick, architecture, date, parts }: PackageOptions): string {
  const name = `${facts.name}-${facts.version}-linux-${architecture.node}`;
  const tree = join(work, name);
  const script = (file: string): Entry => ({ path: file, text: filledIn(packagingFile(`tarball/${file}`), architecture, neededLibraries(parts).glibc), mode: 0o755 });
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  writeTree(
    tree,
    [
      script('install.sh'),
      script('uninstall.sh'),
      ...programEntries(parts, 'lib'),
      ...shareEntries('share'),
      // Prefixes are filled in by install.sh.
      ...dropIns.map((file): Entry => ({ path: `share/systemd/${file}`, text: packagingFile(`systemd/${file}`) })),
      { path: 'share/completion', text: bashCompletion() },
      ...(['port', 'channel'] as const).map((kind): Entry => ({
        path: `systemd/concierge-ga${kind === 'port' ? '' : '-channel'}.service`,
        text: unitTemplate(kind).replaceAll('@ARCHITECTURES@', architecture.systemCalls),
      })),
      { path: 'udev/60-concierge-ga.rules', text: packagingFile('udev/60-concierge-ga.rules') },
      { path: 'openrc/concierge-ga', text: packagingFile('openrc/concierge-ga'), mode: 0o755 },
      { path: 'man/concierge-ga.8', text: manPage(date) },
      ...documentationEntries('doc'),
      { path: 'doc/third-party-licences.txt', text: thirdPartyLicences() },
      { path: 'LICENSE', copyOf: join(repository, 'LICENSE') },
    ],
    date,
  );
  const archive = execFileSync(
    'tar',
    ['--sort=name', `--mtime=@${date}`, '--owner=0', '--group=0', '--numeric-owner', '--format=gnu', '-C', work, '-cf', '-', basename(tree)],
    { maxBuffer: 1 << 30 },
  );
  const file = join(output, `${name}.tar.gz`);
  writeFileSync(file, gzipSync(archive, { level: quick ? 1 : 9 }));
  return file;
}

function filledIn(text: string, architecture: Architecture, glibc: string): string {
  return standaloneScript(text)
    .replaceAll('@MACHINE@', architecture.rpm)
    .replaceAll('@GLIBC@', glibc);
}
