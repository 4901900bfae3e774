// SPDX-License-Identifier: Apache-2.0
import { AgentError, osCode, withContext } from '../../core/errors/agent-error.ts';
import type { SshKeys } from '../../core/ports/accounts.ts';
import { programData } from '../shared/program-data.ts';
import { type LocalUser, localUser } from './local-user.ts';
import { createPrivateDirectory, readSmallFile, replacePrivateFile } from './private-files.ts';

/** More keys than sshd would ever go through. */
const sizeLimit = 4 * 1024 * 1024;

/** Full control for SYSTEM and Administrators, and for the user where the file is a user's own; nothing inherited. */
const descriptor = (user: LocalUser): string => `D:P(A;;FA;;;SY)(A;;FA;;;BA)${user.isAdministrator ? '' : `(A;;FA;;;${user.sid})`}`;

/**
 * The authorized_keys of OpenSSH for Windows: one file for all administrators, in ProgramData, and one in the profile of
 * everybody else, as its default sshd_config has it. sshd refuses files that others can write to.
 */
export const windowsSshKeys: SshKeys = {
  async locate(user) {
    return placeOf(await localUser(user)).file;
  },
  async read(user) {
    const owner = await localUser(user);
    // What lies where the profile would be is somebody else's.
    if (!owner.isAdministrator && !owner.hasProfile) return undefined;
    const { file } = placeOf(owner);
    try {
      const bytes = await readSmallFile(file, sizeLimit);
      return bytes.toString('utf8');
    } catch (error) {
      if (osCode(error) === 'ERROR_FILE_NOT_FOUND' || osCode(error) === 'ERROR_PATH_NOT_FOUND') return undefined;
      throw error;
    }
  },
  async write(user, text) {
    const owner = await localUser(user);
    const { directory, file } = placeOf(owner);
    if (!owner.isAdministrator && !owner.hasProfile) {
      throw AgentError.failed(`failed to write to '${file}': ${user} has no profile on this machine yet (it is made when they first log in)`);
    }
    const rights = descriptor(owner);
    try {
      await createPrivateDirectory(directory, rights);
    } catch (error) {
      throw AgentError.failed(withContext(`failed to create directory ${directory}`, error).message, error);
    }
    try {
      await replacePrivateFile(file, Buffer.from(text), rights);
    } catch (error) {
      throw AgentError.failed(withContext(`failed to write to '${file}'`, error).message, error);
    }
  },
};

interface Place {
  readonly directory: string;
  readonly file: string;
}

/** The one file of all administrators. */
export function administratorsKeys(): Place {
  const directory = `${programData()}\\ssh`;
  return { directory, file: `${directory}\\administrators_authorized_keys` };
}

function placeOf(user: LocalUser): Place {
  if (user.isAdministrator) return administratorsKeys();
  const directory = `${user.profile}\\.ssh`;
  return { directory, file: `${directory}\\authorized_keys` };
}
