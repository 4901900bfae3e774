// SPDX-License-Identifier: Apache-2.0
import { AgentError, osCode, withContext } from '../../../core/errors/agent-error.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';
import type { SshKeys } from '../../../core/ports/index.ts';
import { losslessBytes, losslessText, textFromBytes } from '../text.ts';

/** An entry of the user database. `home` is bytes: it need not be UTF-8. */
export interface PasswdEntry {
  readonly uid: number;
  readonly gid: number;
  readonly home: Buffer;
}

/** What of the native addon this needs; its failures are os errors whose `syscall` tells the step. */
export interface AccountsAddon {
  /** Through the system's name services (nsswitch.conf(5)); `undefined` for an unknown name. */
  lookupUser(name: string): Promise<PasswdEntry | undefined>;
  /** Reads `file` in `directory` of a home with its owner's rights; `undefined` where it is missing. */
  readInHome(user: PasswdEntry & { name: string }, directory: string, file: string, limit: number): Promise<Buffer | undefined>;
  /** Replaces it; creates the directory where it is missing. */
  replaceInHome(user: PasswdEntry & { name: string }, directory: string, file: string, bytes: Buffer): Promise<void>;
}

const directory = '.ssh';
const file = 'authorized_keys';

/** More keys than sshd(8) would ever go through. */
const sizeLimit = 4 * 1024 * 1024;

/** The authorized_keys of users; all work in a home is the addon's, which follows no symbolic link there. */
export function linuxSshKeys(addon: AccountsAddon, overlooked?: SshKeys['overlooked']): SshKeys {
  return {
    locate: async (user) => fileOf(await lookup(addon, user)),
    read: async (user) => {
      const owner = await lookup(addon, user);
      try {
        const bytes = await addon.readInHome(owner, directory, file, sizeLimit);
        return bytes === undefined ? undefined : losslessText(bytes);
      } catch (error) {
        throw linkError(owner, error) ?? error;
      }
    },
    write: async (user, text) => {
      const owner = await lookup(addon, user);
      const bytes = losslessBytes(text);
      try {
        // What could not be read again.
        if (bytes.length > sizeLimit) throw posixError('EFBIG', { syscall: 'write', path: fileOf(owner) });
        await addon.replaceInHome(owner, directory, file, bytes);
      } catch (error) {
        throw AgentError.failed(withContext(failedStep(owner, error), error).message, error);
      }
    },
    ...(overlooked === undefined ? {} : { overlooked }),
  };
}

type Owner = PasswdEntry & { readonly name: string };

const directoryOf = (owner: Owner): string => `${textFromBytes(owner.home)}/${directory}`;
const fileOf = (owner: Owner): string => `${directoryOf(owner)}/${file}`;

async function lookup(addon: AccountsAddon, name: string): Promise<Owner> {
  let entry: PasswdEntry | undefined;
  try {
    // A NUL would cut the name: to the system there is nobody of that name.
    entry = name.includes('\0') ? undefined : await addon.lookupUser(name);
  } catch (error) {
    throw AgentError.failed(withContext(`failed to lookup user '${name}'`, error).message, error);
  }
  if (entry === undefined) throw AgentError.failed(`failed to lookup user '${name}': user not found`);
  return { ...entry, name };
}

const notFollowed = 'is a symbolic link, which is not followed';

/** Of a link in the place of the file or of its directory; a loop above the home has the system's own words. */
function linkError(owner: Owner, error: unknown): AgentError | undefined {
  if (!AgentError.is(error) || error.os?.code !== 'ELOOP') return undefined;
  const link = [directoryOf(owner), fileOf(owner)].find((path) => path === error.os?.path);
  if (link === undefined) return undefined;
  return new AgentError('failed', `failed to read '${fileOf(owner)}': ${link === fileOf(owner) ? 'it' : `'${link}'`} ${notFollowed}: whoever can change it would choose the file`, { os: error.os, cause: error });
}

/** What was attempted, in the words of the reference. */
function failedStep(owner: Owner, error: unknown): string {
  const step = AgentError.is(error) ? (error.os?.syscall ?? '') : '';
  switch (step) {
    case 'mkdir': return `failed to create directory '${directoryOf(owner)}'`;
    case 'chmod': return `failed to set permissions of directory '${directoryOf(owner)}'`;
    case 'fchmod': return `failed to set permissions of '${fileOf(owner)}'`;
    case 'opendir':
      return osCode(error) === 'ELOOP'
        ? `failed to write to '${fileOf(owner)}': '${directoryOf(owner)}' ${notFollowed}`
        : `failed to write to '${fileOf(owner)}'`;
    default: return `failed to write to '${fileOf(owner)}'`;
  }
}
