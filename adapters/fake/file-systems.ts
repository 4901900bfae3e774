// SPDX-License-Identifier: Apache-2.0
import { posixError } from '../../core/errors/posix-errno.ts';
import type { FakeClock } from './clock.ts';
import type { Faults } from './faults.ts';
import type { FileTree, Mount } from './file-tree.ts';
import { permits, root, type Credentials } from './inodes.ts';
import { Superblock, type FreezeState, type SuperblockDescription } from './superblock.ts';

export interface FileSystemDescription extends SuperblockDescription {
  readonly mountPoint: string;
  /** Path of the image file that a loop device shows: the file system then lies on the one that holds the image. */
  readonly image?: string;
  /** Mount points of further file systems on which it lies (through dm, md or LVM). */
  readonly liesOn?: readonly string[];
}

/** A directory (or file) that shows at a second place. */
export interface BindMountDescription {
  readonly bindOf: string;
  readonly mountPoint: string;
  readonly readOnly?: boolean;
}

export type MountDescription = FileSystemDescription | BindMountDescription;

/** One file system as a test sees and changes it. */
export interface FakeFileSystem {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly mountPoints: readonly string[];
  readonly state: FreezeState;
  readonly frozen: boolean;
  /** Freezes that have not been undone. */
  readonly frozenCount: number;
  readonly waitingWriters: number;
  readOnly: boolean;
  capacityBytes: number;
  occupiedBytes: number;
  /** Every write that needs a new block fails with `ENOSPC`. */
  full: boolean;
  dirtyBytes: number;
  flushMs: number;
  trim: Superblock['trim'];
  /** Freezes it as another tool in the guest would. */
  freeze(): Promise<void>;
  /** Thaws it as another tool in the guest would. */
  thaw(): Promise<void>;
}

/** The guest's file systems and mounts. */
export class FakeFileSystems {
  readonly tree: FileTree;
  readonly #clock: FakeClock;
  readonly #faults: Faults;

  constructor(tree: FileTree, clock: FakeClock, faults: Faults) {
    this.tree = tree;
    this.#clock = clock;
    this.#faults = faults;
  }

  /** Mounts a file system. The mount point has to exist. @throws os error of mount(2) */
  mount(description: MountDescription): void {
    if ('bindOf' in description) {
      const { inode, mount } = this.tree.locate(description.bindOf, { who: root, followLast: true, syscall: 'mount' });
      const bound = this.tree.mount(mount.superblock, description.mountPoint, root, inode);
      bound.readOnly = description.readOnly ?? mount.readOnly;
      return;
    }
    const known = this.superblocks().find(({ id }) => id === description.id);
    const superblock = known ?? new Superblock(description, this.#clock, this.#faults);
    if (known === undefined) {
      const holders = [...(description.image === undefined ? [] : [description.image]), ...(description.liesOn ?? [])];
      for (const path of holders) superblock.backing.push(this.at(path));
    }
    this.tree.mount(superblock, description.mountPoint, root);
  }

  /** @throws os error of umount(2) */
  unmount(mountPoint: string): void {
    this.tree.unmount(mountPoint);
  }

  /** Mount points of everything that is frozen, in mount order, one for each file system. */
  get frozen(): readonly string[] {
    return this.list.filter(({ frozen }) => frozen).map(({ mountPoints }) => mountPoints[0] ?? '');
  }

  /** One for each file system, in mount order. */
  get list(): readonly FakeFileSystem[] {
    return this.superblocks().map((superblock) => this.#view(superblock));
  }

  /** @throws Error where nothing is mounted; it lists the mount points */
  get(mountPoint: string): FakeFileSystem {
    const mount = this.tree.mounts.findLast((candidate) => candidate.mountPoint === mountPoint);
    if (mount === undefined) {
      throw new Error(`nothing is mounted at '${mountPoint}'; mounted are ${this.tree.mounts.map((one) => one.mountPoint).join(', ')}`);
    }
    return this.#view(mount.superblock);
  }

  // -- for the ports ----------------------------------------------------------------------------------------

  superblocks(): readonly Superblock[] {
    return [...new Set(this.tree.mounts.map(({ superblock }) => superblock))];
  }

  /** Those that the reference would list: the ones with a block device of their own, in mount order. */
  listed(): readonly Superblock[] {
    return this.superblocks().filter(({ leftOut }) => leftOut === undefined);
  }

  mountsOf(superblock: Superblock): readonly Mount[] {
    return this.tree.mounts.filter((mount) => mount.superblock === superblock);
  }

  /** Where a file system is mounted first: its name. */
  nameOf(superblock: Superblock): string {
    return this.mountsOf(superblock)[0]?.mountPoint ?? '';
  }

  /** A mount point that leads to it; `undefined` where others cover all of its own. */
  reachedAt(superblock: Superblock): string | undefined {
    const reaches = ({ mountPoint }: Mount): boolean => {
      try {
        return this.at(mountPoint) === superblock;
      } catch {
        return false;
      }
    };
    return this.mountsOf(superblock).find(reaches)?.mountPoint;
  }

  /** The file system that holds a path. @throws os error when there is no such path */
  at(path: string): Superblock {
    return this.tree.locate(path, { who: root, followLast: true, syscall: 'stat' }).mount.superblock;
  }

  /** Opens a mount point as freezing and trimming do. @throws os error of open(2) */
  async openMountPoint(mountPoint: string, who: Credentials): Promise<Superblock> {
    await this.#faults.pass('kernel', 'openMountPoint', mountPoint);
    const { inode, mount } = this.tree.locate(mountPoint, { who, followLast: true, syscall: 'open' });
    if (!permits(inode, who, 'read')) throw posixError('EACCES', { syscall: 'open', path: mountPoint });
    return mount.superblock;
  }

  #view(superblock: Superblock): FakeFileSystem {
    const mountPoints = (): readonly string[] => this.mountsOf(superblock).map(({ mountPoint }) => mountPoint);
    const name = (): string => this.nameOf(superblock);
    return {
      id: superblock.id,
      type: superblock.type,
      source: superblock.source,
      get mountPoints() { return mountPoints(); },
      get state() { return superblock.state; },
      get frozen() { return superblock.state === 'frozen'; },
      get frozenCount() { return superblock.frozenCount; },
      get waitingWriters() { return superblock.waitingWriters; },
      get readOnly() { return superblock.readOnly; },
      set readOnly(value) { superblock.readOnly = value; },
      get capacityBytes() { return superblock.capacityBytes; },
      set capacityBytes(value) { superblock.capacityBytes = value; },
      get occupiedBytes() { return superblock.occupiedBytes; },
      set occupiedBytes(value) { superblock.occupiedBytes = value; },
      get full() { return superblock.full; },
      set full(value) { superblock.full = value; },
      get dirtyBytes() { return superblock.dirtyBytes; },
      set dirtyBytes(value) { superblock.dirtyBytes = value; },
      get flushMs() { return superblock.flushMs; },
      set flushMs(value) { superblock.flushMs = value; },
      get trim() { return superblock.trim; },
      set trim(value) { superblock.trim = value; },
      freeze: () => superblock.freeze(name()),
      thaw: () => superblock.thaw(name()),
    };
  }
}
