// SPDX-License-Identifier: Apache-2.0
import { command } from './command.ts';
import { bool, listOf, nothing, optional, required, str, struct } from './types.ts';

export const guestSetUserPassword = command({
  name: 'guest-set-user-password',
  since: '2.3',
  group: 'accounts',
  summary: "Sets a user's password.",
  arguments: {
    username: required(str, 'The user.', { judged: 'user', shown: true }),
    password: required(str, 'The password in base64; it is sent as the guest will store or hash it.'),
    crypted: required(bool, 'Whether the password is a hash already, in the form of crypt(5).'),
  },
  result: nothing,
  needs: 'accounts.passwords',
  errors: [
    ['Base64 data contains invalid characters', '`password` is not base64 of the standard alphabet'],
    ['forbidden characters in raw password', 'it has a line feed or a zero byte'],
    ['forbidden characters in username', 'it has a line feed, a colon or a zero byte'],
    ['child process has failed to set user password: OUTPUT', 'the system refused: unknown user, password rules (Linux)'],
    ["'crypted' must be off on this host", 'a hash was given to Windows'],
  ],
});

const lookupError = ["failed to lookup user 'NAME': REASON", 'there is no such user'] as const;
const keyError = ["invalid OpenSSH public key: 'KEY'", 'it begins with `#` or has a control character'] as const;

export const guestAuthorizedKeys = struct('GuestAuthorizedKeys', {
  keys: required(listOf(str), 'Lines of the file that are neither empty nor comments; the last line comes first.'),
});

export const guestSshGetAuthorizedKeys = command({
  name: 'guest-ssh-get-authorized-keys',
  since: '5.2',
  group: 'accounts',
  onlyAsks: true,
  summary: 'Lists the SSH keys with which one can log in as a user.',
  arguments: { username: required(str, 'The user.', { judged: 'user', shown: true }) },
  result: guestAuthorizedKeys,
  needs: 'accounts.sshKeys',
  errors: [lookupError, ["failed to read 'PATH': REASON", 'there is no such file, or it cannot be read']],
});

export const guestSshAddAuthorizedKeys = command({
  name: 'guest-ssh-add-authorized-keys',
  since: '5.2',
  group: 'accounts',
  summary: "Adds SSH keys to a user's file, where they are not in it yet.",
  arguments: {
    username: required(str, 'The user.', { judged: 'user', shown: true }),
    keys: required(listOf(str), 'Whole lines as in authorized_keys.'),
    reset: optional(bool, 'Whether the keys replace everything that is in the file; false by default.'),
  },
  result: nothing,
  needs: 'accounts.sshKeys',
  errors: [keyError, lookupError, ["failed to write to 'PATH': REASON", 'the file could not be replaced']],
});

export const guestSshRemoveAuthorizedKeys = command({
  name: 'guest-ssh-remove-authorized-keys',
  since: '5.2',
  group: 'accounts',
  summary: "Removes SSH keys from a user's file. Other lines and comments stay.",
  arguments: {
    username: required(str, 'The user.', { judged: 'user', shown: true }),
    keys: required(listOf(str), 'Whole lines, exactly as they are in the file.'),
  },
  result: nothing,
  needs: 'accounts.sshKeys',
  errors: [
    keyError,
    lookupError,
    ["failed to read 'PATH': REASON", 'the file is there and cannot be read'],
    ["failed to write to 'PATH': REASON", 'the file could not be replaced'],
  ],
});
