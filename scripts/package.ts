// SPDX-License-Identifier: Apache-2.0
/**
 * Makes the packages for Linux in dist-packages/: Debian's, an RPM, and an archive with an installer.
 *
 *     npm run package [-- --arch=x64|arm64|all --format=deb|rpm|tarball --output=DIR --no-build --quick]
 *
 * `--arch` is this machine's unless given, `--quick` compresses little, `--no-build` takes dist/ and build/ as they are.
 * The same commit makes the same bytes. Formats whose tools are missing are left out, and said to be, unless asked for.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { debianPackage, type PackageOptions } from '../packaging/debian-package.ts';
import { architectures, repository, sourceDate, type Architecture } from '../packaging/product-facts.ts';
import { rpmPackage } from '../packaging/rpm-package.ts';
import { shippedParts } from '../packaging/shipped-parts.ts';
import { tarball } from '../packaging/tarball.ts';

interface Format {
  readonly name: string;
  readonly needs: string;
  readonly build: (options: PackageOptions) => string;
}

const formats: readonly Format[] = [
  { name: 'deb', needs: 'dpkg-deb', build: debianPackage },
  { name: 'rpm', needs: 'rpmbuild', build: rpmPackage },
  { name: 'tarball', needs: 'tar', build: tarball },
];

const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: process.arch },
    format: { type: 'string', multiple: true },
    output: { type: 'string', default: 'dist-packages' },
    quick: { type: 'boolean', default: false },
    'no-build': { type: 'boolean', default: false },
  },
});

const isInstalled = (program: string): boolean => (process.env['PATH'] ?? '').split(':').some((directory) => existsSync(join(directory, program)));

function chosenFormats(): readonly Format[] {
  const names = values.format?.flatMap((list) => list.split(','));
  const unknown = names?.find((name) => !formats.some((format) => format.name === name));
  if (unknown !== undefined) throw new Error(`there is no format ${unknown}: use ${formats.map(({ name }) => name).join(', ')}`);
  if (names !== undefined) return formats.filter(({ name }) => names.includes(name));
  return formats.filter(({ name, needs }) => {
    if (isInstalled(needs)) return true;
    console.log(`package: no ${name}, because ${needs} is not installed`);
    return false;
  });
}

function chosenArchitectures(): readonly Architecture[] {
  const chosen = architectures.filter(({ node }) => values.arch === 'all' || values.arch === node);
  if (chosen.length === 0) throw new Error(`there is no architecture ${values.arch}: use ${architectures.map(({ node }) => node).join(', ')} or all`);
  return chosen;
}

function makePackages(): void {
  const output = resolve(repository, values.output);
  const wanted = chosenFormats();
  const targets = chosenArchitectures();
  if (!values['no-build']) execFileSync(process.execPath, [join(repository, 'scripts/build.ts')], { stdio: 'inherit' });
  mkdirSync(output, { recursive: true });
  const date = sourceDate();
  for (const architecture of targets) {
    const work = join(output, '.work', architecture.node);
    const parts = shippedParts(architecture, join(work, 'parts'));
    if (!parts.hasCodeCache) console.log(`package: ${architecture.node} without a code cache, because qemu-aarch64 (qemu-user) is not installed`);
    for (const { name, build } of wanted) {
      const file = build({ parts, architecture, date, work: join(work, name), output, quick: values.quick });
      console.log(`package: ${relative(repository, file)} (${(statSync(file).size / 1e6).toFixed(1)} MB)`);
    }
  }
  rmSync(join(output, '.work'), { recursive: true, force: true });
}

makePackages();
