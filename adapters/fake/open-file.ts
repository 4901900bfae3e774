// SPDX-License-Identifier: Apache-2.0
import { posixError, type PosixCode } from '../../core/errors/posix-errno.ts';
import type { OpenFile, OpenMode, Ready, Whence } from '../../core/ports/index.ts';
import { newFile, type Device, type Fifo, type GeneratedFile, type Inode, type RegularFile } from './inodes.ts';

/** Linux's `MAX_LFS_FILESIZE`: the last offset that a file can have. */
const maxFileSize = 2n ** 63n - 1n;
/** pipe(7): what a FIFO holds. */
const fifoCapacity = 65_536;

/** What reading, writing and seeking mean for one kind of file. */
interface Contents {
  read(into: Uint8Array): number;
  write(bytes: Uint8Array): Ready<void>;
  seek(offset: bigint, whence: Whence): bigint;
  close(): void;
}

/** @param path for errors */
export function openInode(inode: Inode, mode: OpenMode, path: string): OpenFile {
  const contents = contentsOf(inode, mode, path);
  const refuse = (syscall: string, code: PosixCode = 'EBADF'): never => {
    throw posixError(code, { syscall, path });
  };
  let open = true;
  return {
    read: (into) => {
      if (!open || !mode.read) refuse('read');
      return into.length === 0 ? 0 : contents.read(into);
    },
    write: (bytes) => {
      if (!open || !mode.write) refuse('write');
      if (bytes.length > 0) return contents.write(bytes);
    },
    seek: (offset, whence) => {
      if (!open) refuse('lseek');
      return contents.seek(offset, whence);
    },
    flush: () => {
      if (!open) refuse('write');
    },
    close: async () => {
      if (!open) refuse('close');
      open = false;
      contents.close();
    },
  };
}

function contentsOf(inode: Inode, mode: OpenMode, path: string): Contents {
  switch (inode.kind) {
    case 'file':
      return regular(inode, mode, path);
    case 'generated':
      return generated(inode, path);
    case 'fifo':
      return fifo(inode, mode, path);
    case 'device':
      return device(inode, path);
    case 'directory':
      return directory(path);
    case 'symlink':
      // open(2) follows links; with nothing to follow it would have failed.
      throw posixError('ELOOP', { syscall: 'open', path });
    default:
      return inode satisfies never;
  }
}

/** Where a seek leads. @throws `EINVAL` before the start or past the last possible offset */
function target(position: bigint, size: bigint, offset: bigint, whence: Whence, path: string): bigint {
  const from = { set: 0n, cur: position, end: size }[whence];
  const to = from + offset;
  if (to < 0n || to > maxFileSize) throw posixError('EINVAL', { syscall: 'lseek', path });
  return to;
}

function regular(inode: RegularFile, mode: OpenMode, path: string): Contents {
  const { content, superblock } = inode;
  let position = 0n;
  const writeNow = (bytes: Uint8Array): void => {
    if (mode.append) position = content.size;
    if (position + BigInt(bytes.length) > maxFileSize) throw posixError('EFBIG', { syscall: 'write', path });
    const fits = content.prefixWithin(position, bytes.length, superblock.freeBytes);
    const grown = content.growthOf(position, fits);
    content.write(position, bytes.subarray(0, fits));
    superblock.occupiedBytes += grown;
    superblock.dirtyBytes += fits;
    position += BigInt(fits);
    if (fits < bytes.length) throw posixError('ENOSPC', { syscall: 'write', path });
  };
  return {
    read: (into) => {
      const length = content.read(position, into);
      position += BigInt(length);
      return length;
    },
    write: (bytes) => {
      const wait = superblock.writable();
      return wait === undefined ? writeNow(bytes) : wait.then(() => writeNow(bytes));
    },
    seek: (offset, whence) => (position = target(position, content.size, offset, whence, path)),
    close: () => {},
  };
}

function generated(inode: GeneratedFile, path: string): Contents {
  const snapshot = newFile(inode.superblock);
  snapshot.content.write(0n, Buffer.from(inode.generate()));
  const reading = regular(snapshot, { read: true, write: false, append: false, create: false, truncate: false }, path);
  return {
    ...reading,
    // procfs answers EIO or EINVAL for files that are only read.
    write: () => {
      throw posixError('EINVAL', { syscall: 'write', path });
    },
  };
}

function fifo(inode: Fifo, mode: OpenMode, path: string): Contents {
  if (mode.read) inode.readers += 1;
  if (mode.write) inode.writers += 1;
  return {
    read: (into) => {
      if (inode.buffered.length === 0) {
        if (inode.writers === 0) return 0;
        throw posixError('EAGAIN', { syscall: 'read', path });
      }
      const length = Math.min(into.length, inode.buffered.length);
      into.set(inode.buffered.subarray(0, length));
      inode.buffered = inode.buffered.subarray(length);
      return length;
    },
    write: (bytes) => {
      if (inode.readers === 0) throw posixError('EPIPE', { syscall: 'write', path });
      const fits = Math.min(bytes.length, fifoCapacity - inode.buffered.length);
      inode.buffered = Buffer.concat([inode.buffered, bytes.subarray(0, fits)]);
      if (fits < bytes.length) throw posixError('EAGAIN', { syscall: 'write', path });
    },
    seek: () => {
      throw posixError('ESPIPE', { syscall: 'lseek', path });
    },
    close: () => {
      if (mode.read) inode.readers -= 1;
      if (mode.write) inode.writers -= 1;
      if (inode.readers === 0 && inode.writers === 0) inode.buffered = new Uint8Array(0);
    },
  };
}

function device(inode: Device, path: string): Contents {
  const { device: kind } = inode;
  return {
    read: (into) => {
      if (kind === 'tty') throw posixError('EAGAIN', { syscall: 'read', path });
      if (kind === 'null') return 0;
      into.fill(0);
      return into.length;
    },
    write: () => {
      if (kind === 'full') throw posixError('ENOSPC', { syscall: 'write', path });
    },
    // The memory devices of Linux answer every seek with 0 (null(4): the driver's null_lseek).
    seek: () => {
      if (kind === 'tty') throw posixError('ESPIPE', { syscall: 'lseek', path });
      return 0n;
    },
    close: () => {},
  };
}

function directory(path: string): Contents {
  let position = 0n;
  return {
    read: () => {
      throw posixError('EISDIR', { syscall: 'read', path });
    },
    write: () => {
      throw posixError('EBADF', { syscall: 'write', path });
    },
    seek: (offset, whence) => (position = target(position, 0n, offset, whence, path)),
    close: () => {},
  };
}
