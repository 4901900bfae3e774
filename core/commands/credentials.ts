// SPDX-License-Identifier: Apache-2.0
import { AgentError, withContext } from '../errors/agent-error.ts';
import type { Backend, SshKeys } from '../ports/index.ts';
import {
  guestSetUserPassword, guestSshAddAuthorizedKeys, guestSshGetAuthorizedKeys, guestSshRemoveAuthorizedKeys,
} from '../schema/credentials.ts';
import { checkedKeys, keysIn, withKeys, withoutKeys } from './authorized-keys.ts';
import { decodeBase64 } from './base64.ts';
import { available, handler } from './command.ts';

const LINE_FEED = 0x0a;

export const setUserPassword = handler(guestSetUserPassword, async ({ backend, log }, { username, password: encoded, crypted }) => {
  log.account(() => `guest-set-user-password called, user: ${username}`);
  const passwords = available(backend.accounts?.passwords, 'accounts.passwords');
  const password = decodeBase64(encoded);
  try {
    // chpasswd(8) reads lines of NAME:PASSWORD; a zero byte would cut the password without a word.
    if (password.includes(LINE_FEED) || password.includes(0)) throw AgentError.failed('forbidden characters in raw password');
    if (/[\n:\0]/.test(username)) throw AgentError.failed('forbidden characters in username');
    await passwords.set(username, password, crypted);
  } catch (error) {
    throw withContext('failed to set password', error);
  }
});

export const getAuthorizedKeys = handler(guestSshGetAuthorizedKeys, async ({ backend, log }, { username }) => {
  log.account(() => `guest-ssh-get-authorized-keys called, user: ${username}`);
  const sshKeys = available(backend.accounts?.sshKeys, 'accounts.sshKeys');
  const path = await locate(sshKeys, username);
  const text = await read(sshKeys, username, path);
  if (text === undefined) {
    throw AgentError.failed(`failed to read '${path}': Failed to open file “${path}”: No such file or directory`);
  }
  return { keys: keysIn(text) };
});

export const addAuthorizedKeys = handler(guestSshAddAuthorizedKeys, ({ backend, log }, { username, keys: given, reset = false }) => {
  log.account(() => `guest-ssh-add-authorized-keys called, user: ${username}, keys: ${given.length}, reset: ${reset}`);
  const sshKeys = available(backend.accounts?.sshKeys, 'accounts.sshKeys');
  const keys = checkedKeys(given);
  return oneByOne(backend, async () => {
    const path = await locate(sshKeys, username);
    const text = reset ? undefined : await read(sshKeys, username, path);
    await write(sshKeys, username, path, withKeys(text ?? '', keys));
    const reason = await sshKeys.overlooked?.();
    if (reason !== undefined) log.warning(`guest-ssh-add-authorized-keys: the keys are in ${path}, but ${reason}`);
  });
});

export const removeAuthorizedKeys = handler(guestSshRemoveAuthorizedKeys, ({ backend, log }, { username, keys: given }) => {
  log.account(() => `guest-ssh-remove-authorized-keys called, user: ${username}, keys: ${given.length}`);
  const sshKeys = available(backend.accounts?.sshKeys, 'accounts.sshKeys');
  const keys = checkedKeys(given);
  return oneByOne(backend, async () => {
    const path = await locate(sshKeys, username);
    const left = withoutKeys(await read(sshKeys, username, path) ?? '', keys);
    if (left !== undefined) await write(sshKeys, username, path, left);
  });
});

async function locate(sshKeys: SshKeys, user: string): Promise<string> {
  const attempt = `failed to lookup user '${user}'`;
  if (user.includes('\0')) throw AgentError.failed(`${attempt}: the name has a zero byte`);
  try {
    return await sshKeys.locate(user);
  } catch (error) {
    throw withContext(attempt, error);
  }
}

async function read(sshKeys: SshKeys, user: string, path: string): Promise<string | undefined> {
  try {
    return await sshKeys.read(user);
  } catch (error) {
    throw withContext(`failed to read '${path}'`, error);
  }
}

async function write(sshKeys: SshKeys, user: string, path: string, text: string): Promise<void> {
  try {
    await sshKeys.write(user, text);
  } catch (error) {
    throw withContext(`failed to write to '${path}'`, error);
  }
}

const lastChanges = new WeakMap<Backend, Promise<void>>();

/** A change reads the file and replaces it: two hosts that change it at once would lose one's keys. */
function oneByOne(backend: Backend, change: () => Promise<void>): Promise<void> {
  const mine = (lastChanges.get(backend) ?? Promise.resolve()).then(change);
  lastChanges.set(backend, mine.catch(() => undefined));
  return mine;
}
