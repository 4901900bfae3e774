// SPDX-License-Identifier: Apache-2.0
import { chmodSync, chownSync, lchownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createBackend } from '../../../adapters/backends.ts';
import type { Settings } from '../../../adapters/config/settings.ts';
import { findPackage } from '../../../adapters/third-party/find-package.ts';
import { createThirdPartyBackend, thirdPartyDefinition } from '../../../adapters/third-party/third-party-backend.ts';
import { distrust } from '../../../adapters/third-party/trusted-place.ts';

const isRoot = process.getuid?.() === 0;
let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'concierge-third-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

const sound = `
  const clock = { now: () => 1n, monotonic: () => 1n, after: () => ({ cancel() {} }) };
  const load = () => ({ clock, host: { hostName: { get: async () => 'acme' } } });
  export const backend = { id: 'acme', apiVersion: 1, detects: () => true, capabilities: ['host.hostName'], load };
`;

/** A package in a directory of its own. */
function packageOf(source: string, manifest: object = { exports: './index.js' }, name = 'backend-acme'): string {
  const path = join(directory, name);
  mkdirSync(path, { recursive: true, mode: 0o755 });
  writeFileSync(join(path, 'package.json'), JSON.stringify({ name, type: 'module', ...manifest }), { mode: 0o644 });
  writeFileSync(join(path, 'index.js'), source, { mode: 0o644 });
  return path;
}

describe('a backend of a third party', () => {
  it('is loaded from a path, and stands behind its border', async () => {
    const path = packageOf(sound);

    const backend = await createThirdPartyBackend(path, {});

    await expect(backend.host?.hostName?.get()).resolves.toBe('acme');
  });

  it('may be a single file', async () => {
    const path = join(packageOf(sound), 'index.js');

    await expect(createThirdPartyBackend(path, {})).resolves.toHaveProperty('clock');
  });

  it.each([
    ['throws while it loads', "throw new Error('no licence');", 'cannot be loaded: no licence (index.js:1'],
    ['exports nothing', '', "exports no 'backend': export what defineBackend"],
    ['has another API version', sound.replace('apiVersion: 1', 'apiVersion: 2'), "'apiVersion' is 2: this agent loads version 1"],
    ['has no clock', sound.replace('({ clock, ', '({ '), 'brings no clock'],
    ['brings half a port', sound.replace("get: async () => 'acme'", 'fetch: 1'), 'brings only half of a port: add host.hostName.get'],
    ['declares what it does not bring', sound.replace("['host.hostName']", "['host.hostName', 'hooks']"), 'declares hooks and does not bring it'],
    ['throws in load', sound.replace('const load = () => (', "const load = () => { throw new Error('no device'); }; const unused = () => ("), "the backend 'acme' cannot be loaded: no device (index.js:"],
    ['is no JavaScript', '][', "cannot be loaded: Unexpected token ']'"],
    ['awaits while it is loaded', `await Promise.resolve(); ${sound}`, 'it awaits something while it is loaded: do that in `load`'],
  ])('that %s is refused with what to fix', async (_what, source, message) => {
    const path = packageOf(source);

    await expect(createThirdPartyBackend(path, {})).rejects.toThrow(message);
  });

  it('in a directory that everybody can write to is not loaded', () => {
    const path = packageOf(sound);
    chmodSync(path, 0o777);

    expect(() => thirdPartyDefinition(path)).toThrow(`is not loaded from ${path}: ${path} can be written by everybody: run chmod o-w on it`);
  });

  it.skipIf(!isRoot)('of another user is not loaded by root (needs root)', () => {
    const path = packageOf(sound);
    chownSync(path, 1234, 1234);

    expect(() => thirdPartyDefinition(path)).toThrow(`${path} belongs to user 1234 and not to root: run chown root on it`);
  });

  it.skipIf(!isRoot)('with a file of another user in it is not loaded by root (needs root)', () => {
    const path = packageOf(sound);
    chownSync(join(path, 'index.js'), 1234, 0);

    expect(() => thirdPartyDefinition(path)).toThrow(`${join(path, 'index.js')} belongs to user 1234`);
  });

  it.skipIf(!isRoot)('with a link to a place of another user is not loaded by root (needs root)', () => {
    const path = packageOf(sound);
    const elsewhere = join(directory, 'elsewhere');
    mkdirSync(elsewhere);
    chownSync(elsewhere, 1234, 0);
    symlinkSync(elsewhere, join(path, 'node_modules'));

    expect(() => thirdPartyDefinition(path)).toThrow(`(${join(path, 'node_modules')} leads there)`);
  });
});

describe('trust in a place', () => {
  const bob = { uid: 1000, gid: 1000 };

  it.skipIf(!isRoot)('asks root’s places to be written by root alone, not even by its group (needs root)', () => {
    expect(distrust(directory)).toBeUndefined();
    chmodSync(directory, 0o775);
    expect(distrust(directory)).toBe(`${directory} can be written by the group 0: run chmod g-w on it`);
    chmodSync(directory, 0o755);
    chownSync(directory, 5, 0);
    expect(distrust(directory)).toContain('belongs to user 5');
  });

  it('takes a sticky directory above, in which nobody renames what is not theirs', () => {
    mkdirSync(join(directory, 'shared'));
    chmodSync(join(directory, 'shared'), 0o1777);
    mkdirSync(join(directory, 'shared/own'), { mode: 0o755 });

    expect(distrust(join(directory, 'shared/own'))).toBeUndefined();
    expect(distrust(join(directory, 'shared'))).toContain('can be written by everybody');
  });

  it.skipIf(!isRoot)('lets an ordinary user load what is theirs, but not what everybody can change (needs root)', () => {
    chownSync(directory, 1000, 1000);
    chmodSync(directory, 0o775);
    expect(distrust(directory, bob)).toBeUndefined();
    chmodSync(directory, 0o777);
    expect(distrust(directory, bob)).toContain('can be written by everybody');
  });

  it.skipIf(!isRoot)('is not given for a link of another user that leads to a trusted one (needs root)', () => {
    const path = packageOf(sound);
    symlinkSync(path, join(directory, 'link'));
    lchownSync(join(directory, 'link'), 1234, 1234);

    expect(() => thirdPartyDefinition(join(directory, 'link'))).toThrow(`is not loaded from ${path}: ${directory}/link belongs to user 1234`);
  });
});

describe.skipIf(process.platform === 'win32')('a package below a directory where everybody may put things', () => {
  const dependency = (name: string): string => packageOf("export const name = 'planted';", { exports: './index.js' }, name);

  function shared(): void {
    mkdirSync(join(directory, 'shared'));
    chmodSync(join(directory, 'shared'), 0o1777);
  }

  const refused = (name: string): string => `'${name}' is not installed in ${directory}/shared/own: it was found at ${directory}/shared/node_modules/${name}/index.js, and others may write to ${directory}/shared`;

  it('finds no dependency there that it has not brought', () => {
    shared();
    dependency('shared/node_modules/planted');
    const path = packageOf(`import 'planted';${sound}`, undefined, 'shared/own/backend');

    expect(() => thirdPartyDefinition(path)).toThrow(refused('planted'));
  });

  it('finds none either when it looks for it later, by import or by require', async () => {
    shared();
    const later = sound.replace('const load = () => (', "const load = async () => { await import('late'); return (").replace('}) });', '}) }); };').replace("'acme' } } });", "'acme' } } }); };");
    const path = packageOf(later, undefined, 'shared/own/backend');
    const required = packageOf(`import { createRequire } from 'node:module';\nconst load = () => createRequire(import.meta.url)('late');\n${sound.replace(/const load[^;]*;/, '')}`, undefined, 'shared/own/required');
    dependency('shared/node_modules/late');

    await expect(createThirdPartyBackend(path, {})).rejects.toThrow(refused('late'));
    await expect(createThirdPartyBackend(required, {})).rejects.toThrow(refused('late'));
  });

  it('finds what lies beside it below that directory, and what a link of its own leads to', async () => {
    shared();
    dependency('shared/own/node_modules/beside');
    const elsewhere = dependency('elsewhere/linked');
    symlinkSync(elsewhere, join(directory, 'shared/own/node_modules/linked'));
    const path = packageOf(`import 'beside';import 'linked';import 'node:fs';${sound}`, undefined, 'shared/own/node_modules/backend');

    await expect(createThirdPartyBackend(path, {})).resolves.toHaveProperty('clock');
  });
});

describe('a package', () => {
  it.each([
    [{ exports: './index.js' }],
    [{ exports: { '.': './index.js' } }],
    [{ exports: { '.': { types: './x.d.ts', import: './index.js' } } }],
    [{ exports: { import: { node: './index.js' } } }],
    [{ main: './index.js' }],
    [{}],
  ])('with %j begins where Node says', (manifest) => {
    const path = packageOf(sound, manifest);

    expect(findPackage(path, []).entry).toBe(join(path, 'index.js'));
  });

  it('is found by its name in the node_modules above', () => {
    const path = packageOf(sound, {}, 'node_modules/@acme/backend');
    mkdirSync(join(directory, 'a/b'), { recursive: true });

    expect(findPackage('@acme/backend', ['/nowhere', join(directory, 'a/b')]).directory).toBe(path);
  });

  it.each([
    ['no-such-package', "no package 'no-such-package' is installed in or above"],
    ['/no/such/path', 'there is no backend at /no/such/path'],
  ])('%s is told when it is not there', (name, message) => {
    expect(() => findPackage(name, [directory])).toThrow(message);
  });

  it.each([
    ['fkae', /\(in this package are linux, windows, fake; did you mean fake\?\)$/],
    ['something-else', /\(in this package are linux, windows, fake\)$/],
  ])('%s is told the backends of this package', async (backend, message) => {
    await expect(createBackend({ backend, statedir: directory } as Settings)).rejects.toThrow(message);
  });

  it('without a manifest, with a broken one, or not built is told', () => {
    expect(() => findPackage(directory, [])).toThrow('has no package.json');
    const path = packageOf(sound, { exports: './build/index.js' });
    expect(() => findPackage(path, [])).toThrow('says that it begins in ./build/index.js, and there is no such file: build it');
    writeFileSync(join(path, 'package.json'), '{');
    expect(() => findPackage(path, [])).toThrow('is no JSON');
    writeFileSync(join(path, 'package.json'), '5');
    expect(() => findPackage(path, [])).toThrow('is no JSON object');
  });
});
