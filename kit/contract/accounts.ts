// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import type { Accounts, SshKeys } from '../../core/ports/index.ts';
import { fails, hasNoUndefined, isText } from './expect.ts';
import { contractGroup, type ContractCase } from './group.ts';

const nobody = 'no-such-user-here';

const sessionCases: readonly ContractCase<NonNullable<Accounts['sessions']>>[] = [
  {
    name: 'every session has a user and the time of its login',
    run: async (sessions) => {
      for (const session of await sessions.list()) {
        hasNoUndefined(session, 'a session');
        isText(session.user, 'user');
        assert.ok(Number.isFinite(session.loginTime) && session.loginTime >= 0, 'loginTime is in seconds since 1970');
      }
    },
  },
];

const passwordCases: readonly ContractCase<NonNullable<Accounts['passwords']>>[] = [
  {
    name: 'the password of a user can be set, plain and crypted',
    skip: ({ safe }) => (safe.passwordOf === undefined ? 'needs a user whose password may be set' : undefined),
    run: async (passwords, { safe }) => {
      await passwords.set(safe.passwordOf ?? '', Buffer.from('correct horse'), false);
      await passwords.set(safe.passwordOf ?? '', Buffer.from('$6$salt$hash'), true);
    },
  },
  {
    name: 'the password of a user who is not there is refused, without the password in the error',
    skip: ({ safe }) => (safe.passwordOf === undefined ? 'needs a machine on which passwords may be set' : undefined),
    run: async (passwords) => {
      const error = await fails(() => passwords.set(nobody, Buffer.from('do not repeat me'), false), 'failed');

      assert.doesNotMatch(error.message, /do not repeat me/u);
    },
  },
];

const groupCases: readonly ContractCase<NonNullable<Accounts['groups']>>[] = [
  {
    name: 'a user is in groups that have names',
    skip: ({ knows }) => (knows.user === undefined ? 'needs a user that exists' : undefined),
    run: async (groups, { knows }) => {
      const names = await groups.of(knows.user?.name ?? '');
      assert.ok(names.length > 0, 'a user is in a group at least');
      for (const name of names) isText(name, 'a group');
    },
  },
  {
    name: 'a user who is not there is in no groups',
    run: async (groups) => void (await fails(() => groups.of(nobody), 'failed')),
  },
];

const needsUser: ContractCase<SshKeys>['skip'] = ({ safe }) => (safe.sshKeysOf === undefined ? 'needs a user whose keys may be replaced' : undefined);

const sshCases: readonly ContractCase<SshKeys>[] = [
  {
    name: 'the file of keys of a user is where the system has it',
    skip: ({ knows }) => (knows.user === undefined ? 'needs a user that exists' : undefined),
    run: async (keys, { knows }) => {
      assert.equal(await keys.locate(knows.user?.name ?? ''), knows.user?.keys);
    },
  },
  {
    name: 'a user who is not there has no keys to locate, read or write',
    run: async (keys) => {
      for (const call of [() => keys.locate(nobody), () => keys.read(nobody), () => keys.write(nobody, 'key\n')]) {
        // oxlint-disable-next-line no-await-in-loop -- three calls
        const error = await fails(call, 'failed');
        assert.match(error.message, new RegExp(`^failed to lookup user '${nobody}'`, 'u'));
      }
    },
  },
  {
    name: 'keys that are written are read back, and written again they are replaced',
    skip: needsUser,
    run: async (keys, { safe }) => {
      const user = safe.sshKeysOf ?? '';

      await keys.write(user, 'ssh-ed25519 AAAA first\nssh-ed25519 BBBB second\n');
      await keys.write(user, 'ssh-ed25519 CCCC ünïcode\n');

      assert.equal(await keys.read(user), 'ssh-ed25519 CCCC ünïcode\n');
    },
  },
  {
    name: 'the file of keys is private to its user',
    skip: needsUser,
    run: async (keys, { safe, scratch }) => {
      await keys.write(safe.sshKeysOf ?? '', 'ssh-ed25519 AAAA key\n');

      const mode = await scratch.mode(await keys.locate(safe.sshKeysOf ?? ''));

      if (mode !== undefined) assert.equal(mode, 0o600);
    },
  },
];

export const sessionContract = contractGroup('accounts.sessions', (backend) => backend.accounts?.sessions, sessionCases);
export const passwordContract = contractGroup('accounts.passwords', (backend) => backend.accounts?.passwords, passwordCases);
export const groupContract = contractGroup('accounts.groups', (backend) => backend.accounts?.groups, groupCases);
export const sshKeyContract = contractGroup('accounts.sshKeys', (backend) => backend.accounts?.sshKeys, sshCases);
