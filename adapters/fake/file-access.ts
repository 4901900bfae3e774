// SPDX-License-Identifier: Apache-2.0
import { posixError, type PosixCode } from '../../core/errors/posix-errno.ts';
import type { FileAccess, LeftFile, OpenFile, OpenMode, Place } from '../../core/ports/index.ts';
import type { FileTree, Location } from './file-tree.ts';
import { newFile, permits, type Credentials } from './inodes.ts';
import { openInode } from './open-file.ts';
import { placeOf } from './real-names.ts';

export interface FileAccessOptions {
  readonly tree: FileTree;
  readonly who: Credentials;
  readonly workingDirectory: string;
}

/** Opening files of the fake with open(2)'s rules, in the agent's name. */
export function fakeFileAccess({ tree, who, workingDirectory }: FileAccessOptions): FileAccess {
  const lookUp = (followLast: boolean) => ({ who, followLast, syscall: 'open', from: workingDirectory });

  const kept = new Map<bigint, LeftFile>();

  /** With what the next agent finds: the file as it is, under its handle. */
  const keepable = (file: OpenFile): OpenFile => {
    let as: bigint | undefined;
    const keeping: OpenFile = {
      ...file,
      keepAs: (handle, owner) => {
        as = handle;
        kept.set(handle, { handle, file: keeping, owner });
      },
      close: async () => {
        if (as !== undefined) kept.delete(as);
        await file.close();
      },
    };
    return keeping;
  };

  const left = (): readonly LeftFile[] => [...kept.values()];

  const open = async (path: string, mode: OpenMode): Promise<OpenFile> => keepable(await openNow(path, mode));

  const openAdmitted = async (path: string, mode: OpenMode, admit: (place: Place) => void): Promise<OpenFile> => {
    const entry = tree.look(path, lookUp(true));
    if (entry.found !== undefined || mode.create) admit(placeOf(tree, entry));
    return open(path, mode);
  };

  const openNow = async (path: string, mode: OpenMode): Promise<OpenFile> => {
    if (mode.create) {
      const created = await createMissing(path, mode);
      if (created !== undefined) return created;
    }
    return openExisting(tree.locate(path, lookUp(true)), path, mode);
  };

  /**
   * A link whose target is missing is not created through: the file is made with `O_EXCL`, which follows no link,
   * so that exactly the files that are new get the mode that is asked for.
   */
  const createMissing = async (path: string, mode: OpenMode): Promise<OpenFile | undefined> => {
    const missing = () => {
      const entry = tree.look(path, lookUp(false));
      return entry.found === undefined ? entry : undefined;
    };
    const entry = missing();
    if (entry === undefined) return undefined;
    const { superblock } = entry.mount;
    const wait = superblock.writable();
    if (wait !== undefined) {
      await wait;
      // Another may have made it while this one waited for the thaw.
      if (missing() === undefined) return undefined;
    }
    const fail = (code: PosixCode) => posixError(code, { syscall: 'open', path });
    if (entry.mount.readOnly || superblock.readOnly) throw fail('EROFS');
    if (!permits(entry.parent, who, 'write')) throw fail('EACCES');
    if (superblock.full) throw fail('ENOSPC');
    const file = newFile(superblock, { mode: mode.permissions ?? 0o644, uid: who.uid, gid: who.gid });
    entry.parent.entries.set(entry.name, file);
    return openInode(file, mode, path);
  };

  const openExisting = async ({ inode, mount }: Location, path: string, mode: OpenMode): Promise<OpenFile> => {
    const fail = (code: PosixCode) => posixError(code, { syscall: 'open', path });
    if (inode.kind === 'directory' && mode.write) throw fail('EISDIR');
    const stored = inode.kind === 'file' || inode.kind === 'generated';
    if (mode.write && stored && (mount.readOnly || mount.superblock.readOnly)) throw fail('EROFS');
    if ((mode.read && !permits(inode, who, 'read')) || (mode.write && !permits(inode, who, 'write'))) throw fail('EACCES');
    if (inode.kind === 'fifo' && mode.write && !mode.read && inode.readers === 0) throw fail('ENXIO');
    if (inode.kind === 'file' && mode.truncate) {
      // open(2) with O_TRUNC writes, so it waits for a thaw; a plain open for writing does not.
      const wait = mount.superblock.writable();
      if (wait !== undefined) await wait;
      mount.superblock.occupiedBytes -= inode.content.allocatedBytes;
      inode.content.clear();
      inode.program = undefined;
    }
    return openInode(inode, mode, path);
  };

  return { open, openAdmitted, left };
}
