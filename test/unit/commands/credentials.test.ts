// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it } from 'vitest';

import { contextOf, exchange, guest } from './support/exchange.ts';

const one = 'ssh-ed25519 AAAAC3Nza one@x';
const two = 'ssh-rsa AAAAB3Nza two';
const path = '/home/bob/.ssh/authorized_keys';

let host: ReturnType<typeof guest>;

beforeEach(() => {
  host = guest({ files: { '/home/bob/.ssh': { directory: true, uid: 1001, gid: 1001, mode: 0o700 } } });
});

const add = (keys: readonly string[], reset?: boolean) =>
  host.ask('guest-ssh-add-authorized-keys', { username: 'bob', keys, ...(reset === undefined ? {} : { reset }) });
const remove = (keys: readonly string[]) => host.ask('guest-ssh-remove-authorized-keys', { username: 'bob', keys });
const list = () => host.ask('guest-ssh-get-authorized-keys', { username: 'bob' });
const content = () => host.machine.files.text(path);

describe('SSH keys', () => {
  it('of a user without a file are an error to ask for and no error to remove', async () => {
    expect(await list()).toBe(`error: failed to read '${path}': Failed to open file “${path}”: No such file or directory`);
    expect(await remove([one])).toBe('{}');
  });

  it.each(['guest-ssh-get-authorized-keys', 'guest-ssh-add-authorized-keys', 'guest-ssh-remove-authorized-keys'])(
    'of an unknown user are an error for %s',
    async (name) => {
      const args = name.includes('get') ? { username: 'nobody-x' } : { username: 'nobody-x', keys: [one] };

      expect(await host.ask(name, args)).toBe("error: failed to lookup user 'nobody-x': no such user");
    },
  );

  it('of a name with a zero byte are never looked for', async () => {
    expect(await host.ask('guest-ssh-get-authorized-keys', { username: 'bob\0' }))
      .toBe("error: failed to lookup user 'bob\0': the name has a zero byte");
  });

  it('are added once each, with a line feed at the end, and listed last first', async () => {
    expect(await add([one, two])).toBe('{}');
    expect(await add([one, one])).toBe('{}');

    expect(content()).toBe(`${one}\n${two}\n`);
    expect(await list()).toBe(`{"keys": ["${two}", "${one}"]}`);
  });

  it('are added behind what is there, comments included, or instead of it', async () => {
    host.machine.files.write(path, '# by hand\nkey zero', { uid: 1001, gid: 1001, mode: 0o600 });

    await add([one]);
    expect(content()).toBe(`# by hand\nkey zero\n${one}\n`);
    await add([two], true);
    expect(content()).toBe(`${two}\n`);
  });

  it.each([
    ['are said in the log to be overlooked where the SSH server looks elsewhere', 'sshd does not look there', [`guest-ssh-add-authorized-keys: the keys are in ${path}, but sshd does not look there`]],
    ['are no matter for the log where it looks there', undefined, []],
  ])('%s', async (_what, reason, warnings) => {
    const { accounts } = host.machine.backend;
    const context = contextOf({ ...host.machine.backend, accounts: { ...accounts, sshKeys: { ...accounts!.sshKeys!, overlooked: async () => reason } } });

    expect(await exchange(context, 'guest-ssh-add-authorized-keys', JSON.stringify({ username: 'bob', keys: [one] }))).toBe('{}');

    expect(context.log.lines.filter(({ level }) => level === 'warning').map(({ text }) => text)).toEqual(warnings);
  });

  it('are removed where the whole line is the same, and nothing is written where none is', async () => {
    host.machine.files.write(path, `# by hand\n${one}\n\n${two}`, { uid: 1001, gid: 1001, mode: 0o600 });

    await remove(['ssh-ed25519', '']);
    expect(content()).toBe(`# by hand\n${one}\n\n${two}`);
    await remove([one]);
    expect(content()).toBe(`# by hand\n\n${two}\n`);
  });

  it('are all right or none is taken', async () => {
    expect(await add([one, '#bad'])).toBe("error: invalid OpenSSH public key: '#bad'");
    expect(await remove(['#bad'])).toBe("error: invalid OpenSSH public key: '#bad'");
    expect(host.machine.files.exists(path)).toBe(false);
  });

  it('that are empty leave nothing behind', async () => {
    await add([one]);

    expect(await add([''])).toBe('{}');
    expect(content()).toBe(`${one}\n`);
  });

  it('of a file that cannot be read are not overwritten', async () => {
    host.machine.files.write(path, one, { uid: 0, gid: 0, mode: 0o600 });

    expect(await add([two])).toBe(`error: failed to read '${path}': Permission denied`);
    expect(content()).toBe(one);
  });

  it('added by two hosts at once are all there', async () => {
    const keys = Array.from({ length: 20 }, (_, index) => `key ${index}`);

    await Promise.all(keys.map((key) => add([key])));

    expect(content()).toBe(keys.map((key) => `${key}\n`).join(''));
  });

  it('never stand in the log', async () => {
    await add([one], true);
    await remove([one]);

    expect(host.log.texts()).toEqual([
      'guest-ssh-add-authorized-keys called, user: bob, keys: 1, reset: true',
      'guest-ssh-remove-authorized-keys called, user: bob, keys: 1',
    ]);
  });
});

describe('a password', () => {
  const set = (username: string, password: string, crypted = false) =>
    host.ask('guest-set-user-password', { username, password: Buffer.from(password).toString('base64'), crypted });

  it('is set as it is, colons included', async () => {
    expect(await set('bob', 'a:b')).toBe('{}');
    expect(host.machine.accounts.passwords.get('bob')).toEqual({ password: 'a:b', crypted: false });
  });

  it('may be a hash', async () => {
    await set('bob', '$6$salt$hash', true);

    expect(host.machine.accounts.passwords.get('bob')).toEqual({ password: '$6$salt$hash', crypted: true });
  });

  it.each([
    ['bob', 'a\nb', 'forbidden characters in raw password'],
    ['bob', 'ab\0cd', 'forbidden characters in raw password'],
    ['a\nb', 'x', 'forbidden characters in username'],
    ['a:b', 'x', 'forbidden characters in username'],
    ['a\0b', 'x', 'forbidden characters in username'],
    ['a:b', 'a\nb', 'forbidden characters in raw password'],
    ['nobody-x', 'x', "user 'nobody-x' does not exist"],
  ])('of %j that is %j is refused: %s', async (user, password, error) => {
    expect(await set(user, password)).toBe(`error: ${error}`);
    expect(host.machine.accounts.passwords.size).toBe(0);
  });

  it('has to be base64, before anything else is looked at', async () => {
    expect(await host.ask('guest-set-user-password', { username: 'a:b', password: '**', crypted: false }))
      .toBe('error: Base64 data contains invalid characters');
  });

  it('never stands in the log', async () => {
    await set('bob', 'hush');

    expect(host.log.texts()).toEqual(['guest-set-user-password called, user: bob']);
  });
});
