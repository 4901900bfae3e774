// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { nativeAddon, type NativeAddon } from '../../../adapters/linux/native.ts';
import { linuxSshKeys, type AccountsAddon } from '../../../adapters/linux/accounts/ssh-keys.ts';
import type { SshKeys } from '../../../core/ports/index.ts';

const isRoot = process.getuid?.() === 0;
const uid = 65_534;
const gid = 65_534;

describe.skipIf(!isRoot)('the keys of a user, in a real home (needs root)', () => {
  const addon = nativeAddon() as NativeAddon & AccountsAddon;
  let folder: string;
  let home: string;
  let secret: string;
  let keys: SshKeys;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'home-'));
    chmodSync(folder, 0o755);
    home = join(folder, 'nobody');
    mkdirSync(home, { mode: 0o700 });
    chownSync(home, uid, gid);
    secret = join(folder, 'secret');
    writeFileSync(secret, 'only for root', { mode: 0o600 });
    keys = linuxSshKeys({
      lookupUser: async () => ({ uid, gid, home: Buffer.from(home) }),
      readInHome: (...args) => addon.readInHome(...args),
      replaceInHome: (...args) => addon.replaceInHome(...args),
    });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const makeDirectory = (owner = uid): string => {
    const directory = join(home, '.ssh');
    mkdirSync(directory, { mode: 0o755 });
    chownSync(directory, owner, owner);
    return directory;
  };

  it('are written into a directory and a file of the user, private ones', async () => {
    await keys.write('nobody', 'ssh-ed25519 AAAA zoe\n');

    const [directory, file] = [lstatSync(join(home, '.ssh')), lstatSync(join(home, '.ssh', 'authorized_keys'))];
    expect([directory.mode & 0o7777, directory.uid, directory.gid]).toEqual([0o700, uid, gid]);
    expect([file.mode & 0o7777, file.uid, file.gid]).toEqual([0o600, uid, gid]);
    expect(await keys.read('nobody')).toBe('ssh-ed25519 AAAA zoe\n');
    expect(readdirSync(join(home, '.ssh'))).toEqual(['authorized_keys']);
  });

  it('are replaced, whatever mode the old file had, and leave the directory as it was', async () => {
    const directory = makeDirectory();
    writeFileSync(join(directory, 'authorized_keys'), 'old', { mode: 0o644 });

    await keys.write('nobody', 'new\n');

    expect(readFileSync(join(directory, 'authorized_keys'), 'utf8')).toBe('new\n');
    expect([lstatSync(directory).mode & 0o7777, lstatSync(join(directory, 'authorized_keys')).mode & 0o7777]).toEqual([0o755, 0o600]);
  });

  it('are none where there is no file, no directory or no home', async () => {
    const withoutDirectory = await keys.read('nobody');
    makeDirectory();
    const withoutFile = await keys.read('nobody');
    rmSync(home, { recursive: true });

    expect([withoutDirectory, withoutFile, await keys.read('nobody')]).toEqual([undefined, undefined, undefined]);
  });

  it('are not written where there is no home', async () => {
    rmSync(home, { recursive: true });

    await expect(keys.write('nobody', 'x')).rejects.toThrow(`failed to create directory '${home}/.ssh': No such file or directory`);
  });

  it('are neither read nor written through a directory that is a link', async () => {
    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    chownSync(elsewhere, uid, gid);
    symlinkSync(elsewhere, join(home, '.ssh'));

    const reason = 'is a symbolic link, which is not followed';
    await expect(keys.read('nobody')).rejects.toMatchObject({ os: { code: 'ELOOP' }, message: `failed to read '${home}/.ssh/authorized_keys': '${home}/.ssh' ${reason}: whoever can change it would choose the file` });
    await expect(keys.write('nobody', 'x')).rejects.toThrow(`failed to write to '${home}/.ssh/authorized_keys': '${home}/.ssh' ${reason}`);
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it('are not read through a link, and replace it', async () => {
    const directory = makeDirectory();
    symlinkSync(secret, join(directory, 'authorized_keys'));

    await expect(keys.read('nobody')).rejects.toMatchObject({
      os: { code: 'ELOOP' },
      message: `failed to read '${home}/.ssh/authorized_keys': it is a symbolic link, which is not followed: whoever can change it would choose the file`,
    });
    await keys.write('nobody', 'new\n');

    expect(readFileSync(secret, 'utf8')).toBe('only for root');
    expect(lstatSync(join(directory, 'authorized_keys')).isFile()).toBe(true);
  });

  it('are neither read nor written where the directory or the home belongs to somebody else', async () => {
    const directory = makeDirectory();
    chmodSync(directory, 0o777);
    chownSync(directory, 1, 1);

    await expect(keys.read('nobody')).rejects.toMatchObject({ os: { code: 'EPERM' } });
    await expect(keys.write('nobody', 'x')).rejects.toThrow(`failed to write to '${home}/.ssh/authorized_keys': Operation not permitted`);
    chownSync(directory, uid, gid);
    chmodSync(home, 0o777);
    chownSync(home, 1, 1);
    await expect(keys.read('nobody')).rejects.toMatchObject({ os: { code: 'EPERM' } });
    await expect(keys.write('nobody', 'x')).rejects.toThrow(`failed to write to '${home}/.ssh/authorized_keys': Operation not permitted`);
    expect(readdirSync(directory)).toEqual([]);
  });

  it('are not read from a file of somebody else, and replace it', async () => {
    const directory = makeDirectory();
    writeFileSync(join(directory, 'authorized_keys'), 'planted', { mode: 0o644 });
    chownSync(join(directory, 'authorized_keys'), 1, 1);

    await expect(keys.read('nobody')).rejects.toMatchObject({ os: { code: 'EPERM' } });
    await keys.write('nobody', 'new\n');

    expect(lstatSync(join(directory, 'authorized_keys')).uid).toBe(uid);
  });

  it('keep bytes that are no UTF-8 when they are written back', async () => {
    const file = join(makeDirectory(), 'authorized_keys');
    writeFileSync(file, Buffer.from('ssh-rsa A J\xf6rg\n', 'latin1'));
    chownSync(file, uid, gid);

    await keys.write('nobody', `${await keys.read('nobody')}ssh-rsa B\n`);

    expect(readFileSync(file, 'latin1')).toBe('ssh-rsa A J\xf6rg\nssh-rsa B\n');
  });

  it('are not reached with more than the rights of the user', async () => {
    const directory = makeDirectory(0);
    writeFileSync(join(directory, 'authorized_keys'), 'of root', { mode: 0o600 });

    await expect(keys.read('nobody')).rejects.toMatchObject({ os: { code: 'EACCES' } });
    await expect(keys.write('nobody', 'x')).rejects.toThrow(`failed to write to '${home}/.ssh/authorized_keys': Permission denied`);
    expect(readFileSync(join(directory, 'authorized_keys'), 'utf8')).toBe('of root');
  });

  it('do not wait for a FIFO in their place', async () => {
    const directory = makeDirectory();
    execFileSync('mkfifo', ['-m', '666', join(directory, 'authorized_keys')]);

    await expect(keys.read('nobody')).rejects.toMatchObject({ os: { code: 'EINVAL' } });
  });

  it('leave the agent its own rights', async () => {
    await keys.write('nobody', 'x');

    const threads = readdirSync('/proc/self/task').map((thread) => /^Uid:\t(.*)$/m.exec(readFileSync(`/proc/self/task/${thread}/status`, 'utf8'))?.[1]);
    expect(new Set(threads)).toEqual(new Set(['0\t0\t0\t0']));
    expect(readFileSync(secret, 'utf8')).toBe('only for root');
  });

  it('of root are written with the rights of root', async () => {
    chownSync(home, 0, 0);
    const ofRoot = linuxSshKeys({
      lookupUser: async () => ({ uid: 0, gid: 0, home: Buffer.from(home) }),
      readInHome: (...args) => addon.readInHome(...args),
      replaceInHome: (...args) => addon.replaceInHome(...args),
    });

    await ofRoot.write('root', 'k\n');

    expect(await ofRoot.read('root')).toBe('k\n');
  });
});

describe('the user database', () => {
  const addon = nativeAddon() as NativeAddon & AccountsAddon;

  it('knows root', async () => {
    expect(await addon.lookupUser('root')).toMatchObject({ uid: 0, gid: 0, home: Buffer.from('/root') });
  });

  it.each(['no-such-user-here', '', '-x', 'a:b', 'root\n'])('does not know %j', async (name) => {
    expect(await addon.lookupUser(name)).toBeUndefined();
  });
});
