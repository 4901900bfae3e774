import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

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

    expect(() => thirdPartyDefinition(path)).toThrow(`${path} belongs to user 1234 and not to root: run chown -R root on it`);
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
  const status = (uid: number, mode: number) => () => ({ uid, mode });

  it('asks root’s places to be written by root alone', () => {
    expect(distrust(directory, { uid: 0, stat: status(0, 0o40755) })).toBeUndefined();
    expect(distrust(directory, { uid: 0, stat: status(0, 0o40775) })).toContain('can be written by its group');
    expect(distrust(directory, { uid: 0, stat: status(5, 0o40755) })).toContain('belongs to user 5');
  });

  it('takes a sticky directory above, in which nobody renames what is not theirs', () => {
    const stat = (path: string) => (path === '/tmp' ? { uid: 0, mode: 0o41777 } : { uid: 0, mode: 0o40755 });

    expect(distrust(directory, { uid: 0, stat })).toBeUndefined();
  });

  it('lets an ordinary user load what is theirs, but not what everybody can change', () => {
    expect(distrust(directory, { uid: 1000, stat: status(1000, 0o40775) })).toBeUndefined();
    expect(distrust(directory, { uid: 1000, stat: status(1000, 0o40777) })).toContain('can be written by everybody');
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
