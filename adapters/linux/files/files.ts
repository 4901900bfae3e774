import { constants } from 'node:fs';

import type { FileAccess, OpenMode } from '../../../core/ports/file-system.ts';
import { type NativeAddon, nativeAddon } from '../native.ts';
import { LinuxOpenFile, type NativeFile } from './open-file.ts';

interface FilesAddon extends NativeAddon {
  /** `create`: with mode 0666 whatever the umask, where it is missing; an existing file is left as it is. */
  openFile(path: string, flags: number, create: boolean): Promise<NativeFile>;
}

/** The files of this machine. A path is the kernel's to interpret: relative ones start at the working directory. */
export const files: FileAccess = {
  async open(path, mode) {
    return new LinuxOpenFile(await (nativeAddon() as FilesAddon).openFile(path, openFlags(mode), mode.create));
  },
};

/** Flags of open(2) but O_CREAT and those that every open has (O_NOCTTY, O_NONBLOCK, O_CLOEXEC). */
export function openFlags(mode: OpenMode): number {
  const access = mode.write ? (mode.read ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY;
  return access | (mode.append ? constants.O_APPEND : 0) | (mode.truncate ? constants.O_TRUNC : 0);
}
