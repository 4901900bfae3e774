// SPDX-License-Identifier: Apache-2.0
import { dirname } from 'node:path/posix';

import type { FileTree, Location } from './file-tree.ts';
import {
  newDevice, newDirectory, newFifo, newFile, newGenerated, newSymlink, root,
  type DeviceKind, type Directory, type Inode, type Ownership,
} from './inodes.ts';
import type { ProgramFunction } from './programs.ts';
import type { Superblock } from './superblock.ts';

export interface FakeStat {
  readonly kind: Inode['kind'];
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes; 0 for what is no regular file. */
  readonly size: bigint;
}

/**
 * The guest's files seen from outside: reads and changes them whatever permissions, read-only mounts, full disks and
 * frozen file systems say.
 */
export class FakeFiles {
  readonly #tree: FileTree;

  constructor(tree: FileTree) {
    this.#tree = tree;
  }

  /** @throws os error, as for everything here that needs a file that is not there */
  bytes(path: string): Uint8Array {
    const { inode } = this.#locate(path, true);
    if (inode.kind === 'generated') return Buffer.from(inode.generate());
    if (inode.kind === 'fifo') return inode.buffered;
    if (inode.kind !== 'file') throw new Error(`${path} is a ${inode.kind}: it has no contents`);
    return inode.content.toBytes();
  }

  text(path: string): string {
    return Buffer.from(this.bytes(path)).toString('utf8');
  }

  exists(path: string): boolean {
    try {
      this.#locate(path, false);
      return true;
    } catch {
      return false;
    }
  }

  stat(path: string): FakeStat {
    const { inode } = this.#locate(path, false);
    const size = inode.kind === 'file' ? inode.content.size : 0n;
    return { kind: inode.kind, mode: inode.mode, uid: inode.uid, gid: inode.gid, size };
  }

  /** Names in a directory, sorted. */
  list(path: string): readonly string[] {
    const { inode } = this.#locate(path, true);
    if (inode.kind !== 'directory') throw new Error(`${path} is a ${inode.kind}, not a directory`);
    return [...inode.entries.keys()].toSorted();
  }

  /** Makes or replaces a file, with the directories that lead to it. An existing file keeps owner and mode. */
  write(path: string, data: string | Uint8Array, own?: Ownership): void {
    const there = this.exists(path) ? this.#locate(path, true).inode : undefined;
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    if (there?.kind === 'file' && own === undefined) {
      there.superblock.occupiedBytes -= there.content.allocatedBytes;
      there.content.clear();
      there.content.write(0n, bytes);
      there.superblock.occupiedBytes += there.content.allocatedBytes;
      return;
    }
    this.#place(path, (superblock) => {
      const file = newFile(superblock, own);
      file.content.write(0n, bytes);
      superblock.occupiedBytes += file.content.allocatedBytes;
      return file;
    });
  }

  /** A file that is made afresh whenever it is opened, like those of /proc. */
  generated(path: string, generate: () => string, own?: Ownership): void {
    this.#place(path, (superblock) => newGenerated(superblock, generate, own));
  }

  /** An executable file that runs `program`. */
  program(path: string, program: ProgramFunction, own?: Ownership): void {
    this.#place(path, (superblock) => newFile(superblock, own, program));
  }

  /** Makes a directory with those that lead to it; an existing one gets what `own` says. */
  directory(path: string, own: Ownership = {}): void {
    const { inode } = this.#directory(path);
    if (own.mode !== undefined) inode.mode = own.mode;
    if (own.uid !== undefined) inode.uid = own.uid;
    if (own.gid !== undefined) inode.gid = own.gid;
  }

  symlink(target: string, path: string, own?: Ownership): void {
    this.#place(path, (superblock) => newSymlink(superblock, target, own));
  }

  fifo(path: string, own?: Ownership): void {
    this.#place(path, (superblock) => newFifo(superblock, own));
  }

  device(path: string, kind: DeviceKind, own?: Ownership): void {
    this.#place(path, (superblock) => newDevice(superblock, kind, own));
  }

  chmod(path: string, mode: number): void {
    this.#locate(path, true).inode.mode = mode;
  }

  chown(path: string, uid: number, gid: number): void {
    const { inode } = this.#locate(path, false);
    inode.uid = uid;
    inode.gid = gid;
  }

  /** Takes a name away; a directory goes with all that is in it. What is not there is no error. */
  remove(path: string): void {
    if (!this.exists(path)) return;
    const entry = this.#tree.look(path, { who: root, followLast: false, syscall: 'unlink' });
    const inode = entry.parent.entries.get(entry.name);
    if (inode?.kind === 'file') inode.superblock.occupiedBytes -= inode.content.allocatedBytes;
    entry.parent.entries.delete(entry.name);
  }

  #locate(path: string, followLast: boolean): Location {
    return this.#tree.locate(path, { who: root, followLast, syscall: 'stat' });
  }

  #directory(path: string): { readonly inode: Directory; readonly superblock: Superblock } {
    if (path !== '/' && !this.exists(path)) {
      const parent = this.#directory(dirname(path));
      const { name } = this.#tree.look(path, { who: root, followLast: false, syscall: 'mkdir' });
      parent.inode.entries.set(name, newDirectory(parent.superblock, parent.inode));
    }
    const { inode, mount } = this.#locate(path, true);
    if (inode.kind !== 'directory') throw new Error(`${path} is a ${inode.kind}, not a directory`);
    return { inode, superblock: mount.superblock };
  }

  #place(path: string, make: (superblock: Superblock) => Inode): void {
    const { superblock } = this.#directory(dirname(path));
    const entry = this.#tree.look(path, { who: root, followLast: false, syscall: 'open' });
    entry.parent.entries.set(entry.name, make(superblock));
  }
}
