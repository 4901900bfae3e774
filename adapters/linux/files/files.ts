// SPDX-License-Identifier: Apache-2.0
import { constants } from 'node:fs';

import { AgentError, osCode } from '../../../core/errors/agent-error.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';
import type { KeptDescriptors } from '../../../core/ports/keeper.ts';
import type { FileAccess, OpenMode, Place } from '../../../core/ports/file-system.ts';
import { type NativeAddon, nativeAddon } from '../native.ts';
import { keptPrefix, LinuxOpenFile, type NativeFile } from './open-file.ts';
import { type Held, placeOf } from './place.ts';

interface FilesAddon extends NativeAddon {
  /**
   * `permissions` of a file that is made, whatever the umask; −1 to make none. An existing file keeps its own.
   * @throws `EACCES` with the name of the rule as the call where another user may have left a link or a file to be found
   */
  openFile(path: string, flags: number, permissions: number): Promise<NativeFile>;
  /** What `openFile` would open, or the directory in which and the name by which it would make it; nothing has been done yet. */
  findFile(path: string, flags: number, permissions: number): Promise<FoundFile>;
  /** Owns `fd`. */
  fileOf(fd: number): NativeFile;
}

interface FoundFile extends Held {
  readonly name: string;
  readonly isNew: boolean;
  /** Opens the very thing, whatever its name leads to by now. @throws `EEXIST` where what was missing has come */
  readonly open: () => Promise<NativeFile>;
}

/** How often somebody may make what was missing between the look and the making. */
const mostTries = 8;

/** Others may read it. */
const ownersAlone = 0o644;

/** The files of this machine. A path is the kernel's to interpret: relative ones start at the working directory. */
export const linuxFiles = (kept?: KeptDescriptors): FileAccess => ({
  ...(kept === undefined
    ? {}
    : {
        left: () =>
          kept.takeAll(keptPrefix).filter(({ name }) => /^\d+$/.test(name.slice(keptPrefix.length))).map(({ name, note, fd }) => {
            const handle = BigInt(name.slice(keptPrefix.length));
            return { handle, file: new LinuxOpenFile((nativeAddon() as FilesAddon).fileOf(fd), kept, handle), owner: note };
          }),
      }),

  async open(path, mode) {
    try {
      return new LinuxOpenFile(await (nativeAddon() as FilesAddon).openFile(path, openFlags(mode), permissionsOf(mode)), kept);
    } catch (error) {
      throw explained(error);
    }
  },

  async openAdmitted(path, mode, admit) {
    for (let tries = 1; ; tries += 1) {
      try {
        const found = await (nativeAddon() as FilesAddon).findFile(path, openFlags(mode), permissionsOf(mode));
        admit(found.isNew ? below(placeOf({ ...found, isDirectory: true, names: 1 }), found.name) : placeOf(found));
        return new LinuxOpenFile(await found.open(), kept);
      } catch (error) {
        if (osCode(error) !== 'EEXIST') throw explained(error);
        // A link that leads nowhere: nothing is made at its end.
        if (tries === mostTries) throw posixError('ENOENT', { syscall: 'open', path });
      }
    }
  },
});

const permissionsOf = (mode: OpenMode): number => (mode.create ? (mode.permissions ?? ownersAlone) : -1);

const below = ({ names, mayHaveOthers }: Place, name: string): Place =>
  ({ names: names.map((directory) => (directory === '/' ? `/${name}` : `${directory}/${name}`)), mayHaveOthers });

export const files: FileAccess = linuxFiles();

/** Why it is not permitted, where it is the agent and not the kernel that does not. */
const rules: ReadonlyMap<string | undefined, string> = new Map([
  ['protected_symlinks', 'a link of another user in a directory that everybody may write to is not followed'],
  ['protected_regular', 'a file of another user in a directory that others may write to is not opened with this mode'],
]);

function explained(error: unknown): unknown {
  if (!AgentError.is(error) || error.os === undefined) return error;
  const rule = rules.get(error.os.syscall);
  if (rule === undefined) return error;
  const os = { ...error.os, syscall: 'open', osText: `${error.os.osText} (${rule})` };
  return new AgentError('os', `${error.message} (${rule})`, { os, cause: error });
}

/** Flags of open(2) but O_CREAT and those that every open has (O_NOCTTY, O_NONBLOCK, O_CLOEXEC). */
export function openFlags(mode: OpenMode): number {
  const access = mode.write ? (mode.read ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY;
  return access | (mode.append ? constants.O_APPEND : 0) | (mode.truncate ? constants.O_TRUNC : 0);
}
