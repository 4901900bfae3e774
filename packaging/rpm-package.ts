// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configurationSample } from './configuration-sample.ts';
import type { PackageOptions } from './debian-package.ts';
import { writeTree, type Entry } from './file-tree.ts';
import { layout, maintainerScript } from './layout.ts';
import { packagingFile, places } from './places.ts';
import { facts, repository, revision, wrapped } from './product-facts.ts';

/** Directories that are the package's own, with all below them. */
const ownTrees = [places.lib, places.share, places.doc, places.etc, '/usr/share/licenses/concierge-ga'];

const ownDirectories = (entries: readonly Entry[]): readonly string[] => {
  const above = entries.flatMap(({ path }) => path.split('/').map((_, depth, words) => words.slice(0, depth).join('/')));
  return [...new Set(above)].filter((path) => ownTrees.some((tree) => path === tree || path.startsWith(`${tree}/`))).toSorted();
};

/** Builds the package for Fedora, Red Hat's and SUSE's systems. Answers its path. */
export function rpmPackage({ work, output, quick, ...options }: PackageOptions): string {
  const { architecture, date } = options;
  const tree = join(work, 'tree');
  const entries = [...layout(options), ...rpmEntries()];
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  writeTree(tree, entries, date);
  const spec = join(work, 'concierge-ga.spec');
  writeFileSync(spec, specification(entries));

  const macros = {
    _topdir: join(work, 'build'),
    _rpmdir: output,
    _rpmfilename: `${facts.name}-${facts.version}-${revision}.${architecture.rpm}.rpm`,
    tree,
    _buildhost: 'reproducible',
    use_source_date_epoch_as_buildtime: '1',
    clamp_mtime_to_source_date_epoch: '1',
    source_date_epoch_from_changelog: '0',
    _binary_payload: quick ? 'w1.gzdio' : 'w6T2.xzdio',
    __strip: '/bin/true',
  };
  execFileSync(
    'rpmbuild',
    ['-bb', '--quiet', '--target', `${architecture.rpm}-linux`, ...Object.entries(macros).flatMap(([name, value]) => ['--define', `${name} ${value}`]), spec],
    { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, SOURCE_DATE_EPOCH: String(date) } },
  );
  return join(output, macros._rpmfilename);
}

const rpmEntries = (): readonly Entry[] => [
  // Where the program of Fedora's qemu-guest-agent is.
  { path: '/usr/bin/qemu-ga', linkTo: '../lib/concierge-ga/bin/concierge-ga' },
  { path: `${places.etc}/concierge-ga.conf`, text: configurationSample() },
  { path: '/usr/share/licenses/concierge-ga/LICENSE', copyOf: join(repository, 'LICENSE') },
];

function specification(entries: readonly Entry[]): string {
  const script = (name: string): string => maintainerScript(packagingFile(`rpm/${name}.sh`)).replaceAll('%', '%%').trim();
  const files = [...ownDirectories(entries).map((path) => `%dir ${path}`), ...entries.map(fileLine)];
  const values: Readonly<Record<string, string>> = {
    VERSION: facts.version,
    REVISION: revision,
    COMPATIBLE: facts.compatibleWith,
    DESCRIPTION: facts.description.map((paragraph) => wrapped(paragraph, 78).join('\n')).join('\n\n'),
    POST: script('post'),
    POSTTRANS: script('posttrans'),
    PREUN: script('preun'),
    POSTUN: script('postun'),
    FILES: [...new Set(files)].join('\n'),
  };
  return packagingFile('rpm/concierge-ga.spec.in').replaceAll(/@([A-Z]+)@/g, (whole, name: string) => values[name] ?? whole);
}

function fileLine(entry: Entry): string {
  if ('directory' in entry) return `%dir ${entry.path}`;
  if (entry.path.startsWith('/etc/')) return `%config(noreplace) ${entry.path}`;
  if (entry.path.startsWith(places.doc)) return `%doc ${entry.path}`;
  return entry.path.startsWith('/usr/share/licenses') ? `%license ${entry.path}` : entry.path;
}
