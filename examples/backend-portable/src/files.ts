// SPDX-License-Identifier: Apache-2.0
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { isatty } from 'node:tty';
import type { FileAccess, OpenMode } from 'concierge-ga/kit';

import { PortableFile } from './open-file.ts';
import { systemError } from './system-error.ts';

const { O_RDONLY, O_WRONLY, O_RDWR, O_APPEND, O_TRUNC, O_CREAT, O_EXCL, O_NONBLOCK, O_NOCTTY } = constants;

/** What a created file is to have, whatever the umask, where nobody says. */
const usual = 0o644;

const flagsOf = ({ read, write, append, truncate }: OpenMode): number =>
  (read && write ? O_RDWR : write ? O_WRONLY : O_RDONLY) | (append ? O_APPEND : 0) | (truncate ? O_TRUNC : 0) | O_NONBLOCK | O_NOCTTY;

/**
 * Files by way of Node's own calls. They run in libuv's pool of threads: a disk that hangs holds one, which is why this
 * backend neither freezes nor claims to survive a freeze by others.
 */
export const files: FileAccess = {
  open: async (path, mode) => {
    try {
      const handle = await openOrCreate(path, mode);
      const status = await handle.stat();
      return new PortableFile(handle, path, mode, !status.isFIFO() && !status.isSocket() && !isatty(handle.fd));
    } catch (error) {
      throw systemError(error, path);
    }
  },
};

async function openOrCreate(path: string, mode: OpenMode): Promise<FileHandle> {
  const flags = flagsOf(mode);
  if (!mode.create) return open(path, flags);
  const { permissions = usual } = mode;
  try {
    const made = await open(path, flags | O_CREAT | O_EXCL, permissions);
    await made.chmod(permissions);
    return made;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    // There already, or a link to something that is not: then open(2) makes it.
    return open(path, flags | O_CREAT, permissions);
  }
}
