// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { settingRows } from '../../adapters/config/settings-table.ts';
import { buildPackages, hasBuild, installed, output, repository } from './lib/packages.ts';

const needs = !hasBuild() ? ' (needs npm run build)' : installed('dpkg-deb') === undefined ? ' (needs dpkg-deb)' : '';
const hasRpm = installed('rpmbuild') !== undefined;

describe.skipIf(needs !== '')(`the packages${needs}`, () => {
  let packages: Readonly<Record<string, string>>;
  let root: string;

  beforeAll(() => {
    packages = buildPackages(hasRpm ? ['deb', 'rpm', 'tarball'] : ['deb', 'tarball'], 'contents');
    root = mkdtempSync(join(tmpdir(), 'concierge-deb-'));
    output('dpkg-deb', '--extract', packages['deb']!, root);
  }, 300_000);
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const files = (): readonly string[] =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));

  it('take the place of qemu-guest-agent and say which libraries they need', () => {
    const field = (name: string): string => output('dpkg-deb', '--field', packages['deb']!, name).trim();

    expect(field('Conflicts')).toBe('qemu-guest-agent');
    expect(field('Replaces')).toBe('qemu-guest-agent');
    expect(field('Provides')).toMatch(/^qemu-guest-agent \(= /);
    expect(field('Depends')).toMatch(/^libc6 \(>= 2\.\d+\), libgcc-s1 \(>= 3\.0\), libstdc\+\+6 \(>= \d+\)$/);
  });

  it('belong to root, and nobody else may write to what is in them', () => {
    const lines = output('dpkg-deb', '--contents', packages['deb']!).trim().split('\n');

    expect(lines.filter((line) => !/ root\/root /.test(line))).toEqual([]);
    expect(lines.filter((line) => !line.startsWith('l') && (line[5] === 'w' || line[8] === 'w'))).toEqual([]);
  });

  it('have no path of the machine that built them inside', () => {
    const place = `${repository}/`;

    const telling = files().filter((file) => readFileSync(file).includes(place));

    expect(telling).toEqual([]);
  });

  it('have no mount namespace in their units', () => {
    const inShare = readdirSync(join(root, 'usr/share/concierge-ga/systemd'));
    // Where nothing freezes there may be one.
    const dropIns = inShare.filter((name) => name !== 'profile-observe.conf').map((name) => `usr/share/concierge-ga/systemd/${name}`);
    const unit = ['usr/lib/systemd/system/concierge-ga.service', ...dropIns].map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
    const settings = unit.split('\n').filter((line) => !line.startsWith('#'));
    expect(inShare.toSorted()).toEqual(['hooks.conf', 'keeper.conf', 'no-guest-exec.conf', 'profile-backup.conf', 'profile-manage.conf', 'profile-observe.conf']);

    // systemd.exec(5): each of these runs the service in a mount namespace of its own.
    const own = /^(Private(Tmp|Devices|Mounts|IPC)|Protect(System|Home|KernelTunables|KernelModules|KernelLogs|ControlGroups|Proc|Hostname)|ProcSubset|(ReadOnly|ReadWrite|Inaccessible|Exec|NoExec)Paths|Bind(ReadOnly)?Paths|TemporaryFileSystem|MountFlags|DynamicUser|Root(Directory|Image)|MountAPIVFS|ExtensionImages)=/;
    expect(settings.filter((line) => own.test(line))).toEqual([]);
  });

  it.skipIf(installed('systemd-analyze') === undefined).each([['observe', 2.5], ['backup', 4], ['manage', 6]] as const)('have a sandbox for the profile %s that is exposed by at most %d', (profile, bound) => {
    const text = (file: string): string => readFileSync(join(root, file), 'utf8');
    const unit = join(root, `${profile}.service`);
    // What is started is not on this machine.
    const programs = /\/usr\/lib\/concierge-ga\/(?:bin|dist)\/[\w-]+/g;
    writeFileSync(unit, `${text('usr/lib/systemd/system/concierge-ga.service')}\n${text(`usr/share/concierge-ga/systemd/profile-${profile}.conf`)}`.replaceAll(programs, '/bin/true'));

    const [last] = output('systemd-analyze', '--no-pager', 'security', '--offline=true', unit).split('\n').filter((line) => line.includes('exposure level'));
    rmSync(unit);

    expect(Number(/: ([\d.]+)/.exec(last ?? '')?.[1])).toBeLessThanOrEqual(bound);
  });

  it('document every setting in the sample of the configuration and in the manual', () => {
    const sample = readFileSync(join(root, 'usr/share/concierge-ga/concierge-ga.conf'), 'utf8');
    const manual = output('gzip', '-dc', join(root, 'usr/share/man/man8/concierge-ga.8.gz')).replaceAll('\\-', '-');

    expect(settingRows.filter(([, { key }]) => !new RegExp(`^#?${key}=`, 'm').test(sample))).toEqual([]);
    expect(settingRows.filter(([, { option }]) => !manual.includes(`--${option.long}`))).toEqual([]);
  });

  it('are the same bytes when they are built again', () => {
    const digest = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');
    const first = Object.values(packages).filter((file) => !file.includes('no .')).map(digest);

    const again = buildPackages(hasRpm ? ['deb', 'rpm', 'tarball'] : ['deb', 'tarball'], 'contents-again');

    expect(Object.values(again).filter((file) => !file.includes('no .')).map(digest)).toEqual(first);
  }, 300_000);

  it.skipIf(!hasRpm)(`have the same programs in the RPM${hasRpm ? '' : ' (needs rpmbuild)'}`, () => {
    const inRpm = new Set(output('rpm', '-qpl', packages['rpm']!).split('\n'));

    const missing = files().map((file) => file.slice(root.length)).filter((file) => file.startsWith('/usr/lib/') && !inRpm.has(file));

    expect(missing).toEqual([]);
  });

  it('carry stripped programs, and a code cache that their Node takes', () => {
    const lib = join(root, 'usr/lib/concierge-ga');
    const script = `
      const { readFileSync } = require('node:fs'); const { Script } = require('node:vm');
      const source = readFileSync(process.argv[1] + '/agent.cjs', 'latin1');
      console.log(new Script(source, { cachedData: readFileSync(process.argv[1] + '/agent.cache') }).cachedDataRejected);`;

    expect(output(join(lib, 'runtime/node'), '--heap-growing-percent=100', '-e', script, join(lib, 'dist')).trim()).toBe('false');
    for (const name of ['runtime/node', 'dist/concierge.node', 'dist/concierge-guardian', 'dist/concierge-keeper']) expect(output('readelf', '--sections', '--wide', join(lib, name))).not.toMatch(/\.symtab|\.debug_/);
  });

  it.skipIf(installed('lintian') === undefined)(`pass lintian without errors${installed('lintian') === undefined ? ' (needs lintian)' : ''}`, () => {
    expect(output('lintian', '--allow-root', '--fail-on', 'none', packages['deb']!).split('\n').filter((line) => line.startsWith('E:'))).toEqual([]);
  }, 120_000);

  it.skipIf(installed('systemd-analyze') === undefined)(`have units that systemd understands${installed('systemd-analyze') === undefined ? ' (needs systemd-analyze)' : ''}`, () => {
    const units = ['concierge-ga', 'concierge-ga-channel'].map((name) => join(root, `usr/lib/systemd/system/${name}.service`));

    // What the system itself brings.
    mkdirSync(join(root, 'bin'));
    writeFileSync(join(root, 'bin/sh'), '#!', { mode: 0o755 });
    const complaints = output('sh', '-c', 'systemd-analyze verify --man=no --root="$0" "$@" 2>&1 || :', root, ...units.map((unit) => unit.slice(root.length)));

    // The rest of a system (sysinit.target and so on) is not below this root.
    expect(complaints.split('\n').filter((line) => /Unknown|Invalid|Failed to parse|ignoring|not executable/i.test(line) && line.includes('concierge'))).toEqual([]);
    expect(units.every((unit) => statSync(unit).size > 0)).toBe(true);
  });
});
