// SPDX-License-Identifier: Apache-2.0
import type { ProgramFunction } from './programs.ts';
import { SparseBytes } from './sparse-bytes.ts';

/** What a file needs of the file system that holds it. */
export interface Storage {
  readonly id: string;
  full: boolean;
  readonly freeBytes: number;
  occupiedBytes: number;
  dirtyBytes: number;
  writable(): void | Promise<void>;
}

interface InodeBase {
  /** Permission bits, `0o644`. */
  mode: number;
  uid: number;
  gid: number;
  readonly superblock: Storage;
}

export interface Directory extends InodeBase {
  readonly kind: 'directory';
  readonly entries: Map<string, Inode>;
  /** Within its file system; undefined for the root of one. */
  readonly parent: Directory | undefined;
}

export interface RegularFile extends InodeBase {
  readonly kind: 'file';
  readonly content: SparseBytes;
  /** What running it does; a file without one is no executable format (`ENOEXEC`). */
  program: ProgramFunction | undefined;
}

/** A file of a pseudo file system: made afresh for every open. */
export interface GeneratedFile extends InodeBase {
  readonly kind: 'generated';
  readonly generate: () => string;
}

export interface SymbolicLink extends InodeBase {
  readonly kind: 'symlink';
  readonly target: string;
}

export interface Fifo extends InodeBase {
  readonly kind: 'fifo';
  readers: number;
  writers: number;
  buffered: Uint8Array;
}

/** `tty`: a terminal on which nobody types. */
export type DeviceKind = 'null' | 'zero' | 'full' | 'tty';

export interface Device extends InodeBase {
  readonly kind: 'device';
  readonly device: DeviceKind;
}

export type Inode = Directory | RegularFile | GeneratedFile | SymbolicLink | Fifo | Device;

/** Who does something. Root passes every check but that of executing what nobody may execute. */
export interface Credentials {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

export const root: Credentials = { uid: 0, gid: 0, groups: [] };

export interface Ownership {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

const base = (superblock: Storage, own: Ownership, mode: number): InodeBase => ({
  superblock,
  mode: own.mode ?? mode,
  uid: own.uid ?? 0,
  gid: own.gid ?? 0,
});

export const newDirectory = (superblock: Storage, parent?: Directory, own: Ownership = {}): Directory => ({
  ...base(superblock, own, 0o755),
  kind: 'directory',
  entries: new Map(),
  parent,
});

export const newFile = (superblock: Storage, own: Ownership = {}, program?: ProgramFunction): RegularFile => ({
  ...base(superblock, own, program === undefined ? 0o644 : 0o755),
  kind: 'file',
  content: new SparseBytes(),
  program,
});

export const newGenerated = (superblock: Storage, generate: () => string, own: Ownership = {}): GeneratedFile => ({
  ...base(superblock, own, 0o444),
  kind: 'generated',
  generate,
});

export const newSymlink = (superblock: Storage, target: string, own: Ownership = {}): SymbolicLink => ({
  ...base(superblock, { ...own, mode: 0o777 }, 0o777),
  kind: 'symlink',
  target,
});

export const newFifo = (superblock: Storage, own: Ownership = {}): Fifo => ({
  ...base(superblock, own, 0o644),
  kind: 'fifo',
  readers: 0,
  writers: 0,
  buffered: new Uint8Array(0),
});

export const newDevice = (superblock: Storage, device: DeviceKind, own: Ownership = {}): Device => ({
  ...base(superblock, own, 0o666),
  kind: 'device',
  device,
});

export type Permission = 'read' | 'write' | 'execute';
const bits: Readonly<Record<Permission, number>> = { read: 4, write: 2, execute: 1 };

/** Whether path_resolution(7) lets `who` do it. */
export function permits(inode: Inode, who: Credentials, permission: Permission): boolean {
  const bit = bits[permission];
  if (who.uid === 0) return permission !== 'execute' || inode.kind === 'directory' || (inode.mode & 0o111) !== 0;
  if (inode.uid === who.uid) return (inode.mode & (bit << 6)) !== 0;
  if (inode.gid === who.gid || who.groups.includes(inode.gid)) return (inode.mode & (bit << 3)) !== 0;
  return (inode.mode & bit) !== 0;
}
