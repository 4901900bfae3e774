// SPDX-License-Identifier: Apache-2.0
/** The packages of concierge-ctl for hosts. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { globalFlags } from '../../client/cli/command-line.ts';
import { subcommands } from '../../client/cli/subcommands.ts';
import { installed, output, repository } from './lib/packages.ts';

const needs = installed('dpkg-deb') === undefined ? ' (needs dpkg-deb)' : '';
const hasRpm = installed('rpmbuild') !== undefined;

describe.skipIf(needs !== '')(`the packages of concierge-ctl${needs}`, () => {
  let directory: string;
  let root: string;

  const build = (into: string, ...words: readonly string[]): string =>
    output(process.execPath, join(repository, 'scripts/package-ctl.ts'), `--output=${join(directory, into)}`, '--format=deb', ...(hasRpm ? ['--format=rpm'] : []), ...words);
  const file = (into: string, end: string): string => join(directory, into, readdirSync(join(directory, into)).find((name) => name.endsWith(end)) ?? '');

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'concierge-ctl-package-'));
    build('first');
    root = join(directory, 'root');
    output('dpkg-deb', '--extract', file('first', '.deb'), root);
  }, 300_000);
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('need Node alone, on any processor', () => {
    const field = (name: string): string => output('dpkg-deb', '--field', file('first', '.deb'), name).trim();

    expect([field('Package'), field('Architecture'), field('Depends')]).toEqual(['concierge-ctl', 'all', 'nodejs (>= 20.11)']);
  });

  it('have a program that runs from where it is installed', () => {
    const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { readonly version: string };

    expect(output(process.execPath, join(root, 'usr/bin/concierge-ctl'), '--version').trim()).toBe(`concierge-ctl ${version}`);
    expect(output(process.execPath, join(root, 'usr/bin/concierge-ctl'), '--help')).toContain('--libvirt NAME');
  });

  it('document every subcommand and every flag in the manual', () => {
    const manual = output('gzip', '-dc', join(root, 'usr/share/man/man1/concierge-ctl.1.gz')).replaceAll('\\-', '-');

    for (const { name, flags } of subcommands) {
      expect(manual).toContain(`\\fB${name}\\fR`);
      for (const flag of flags) expect(manual).toContain(`\\fB--${flag.name}\\fR`);
    }
    for (const { name } of globalFlags) expect(manual).toContain(`\\fB--${name}\\fR`);
  });

  it('bring completions, documents and examples', () => {
    const listed = readdirSync(root, { recursive: true }).map(String);

    expect(listed).toEqual(expect.arrayContaining([
      'usr/share/bash-completion/completions/concierge-ctl', 'usr/share/zsh/vendor-completions/_concierge-ctl', 'usr/share/fish/vendor_completions.d/concierge-ctl.fish',
      'usr/share/doc/concierge-ctl/from-virsh-and-qm.md', 'usr/share/doc/concierge-ctl/examples/backup-libvirt.sh', 'usr/share/doc/concierge-ctl/copyright',
    ]));
    for (const name of listed.filter((one) => one.endsWith('.js'))) expect(readFileSync(join(root, name), 'utf8')).not.toContain(`${repository}/`);
  });

  it('are the same bytes when they are built again', () => {
    build('again', '--no-build');
    const digest = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

    for (const end of hasRpm ? ['.deb', '.rpm'] : ['.deb']) expect(digest(file('again', end))).toBe(digest(file('first', end)));
  }, 120_000);

  it.skipIf(!hasRpm)(`have the same files in the RPM${hasRpm ? '' : ' (needs rpmbuild)'}`, () => {
    const inRpm = output('rpm', '-qpl', file('first', '.rpm')).split('\n');

    expect(inRpm).toEqual(expect.arrayContaining(['/usr/bin/concierge-ctl', '/usr/lib/concierge-ctl/bin/concierge-ctl.js', '/usr/share/man/man1/concierge-ctl.1.gz', '/usr/share/licenses/concierge-ctl/LICENSE']));
    expect(output('rpm', '-qp', '--requires', file('first', '.rpm'))).toContain('nodejs >= 20.11');
  });
});
