// SPDX-License-Identifier: Apache-2.0
import { posixError, type PosixCode } from '../../core/errors/posix-errno.ts';
import { permits, type Credentials, type Directory, type Inode } from './inodes.ts';
import type { Superblock } from './superblock.ts';

export interface Mount {
  readonly superblock: Superblock;
  readonly mountPoint: string;
  /** The directory or file of the file system that shows at the mount point; not its root for a bind mount. */
  readonly root: Inode;
  /** Where it hangs; undefined for the root file system. */
  readonly on: { readonly mount: Mount; readonly inode: Inode } | undefined;
  readOnly: boolean;
}

/** A place in the tree. */
export interface Location {
  readonly mount: Mount;
  readonly inode: Inode;
}

/** The last component of a path, which need not exist. */
export interface Entry {
  readonly mount: Mount;
  readonly parent: Directory;
  readonly name: string;
  readonly found: Location | undefined;
}

export interface LookUp {
  readonly who: Credentials;
  readonly followLast: boolean;
  readonly syscall: string;
  /** Where a relative path begins; absolute. */
  readonly from?: string;
}

/** Limits of Linux: `MAXSYMLINKS`, `NAME_MAX`, `PATH_MAX` without the final zero. */
const maxSymlinks = 40;
const maxName = 255;
const maxPath = 4095;

/** The mounts of the guest and the way through them (path_resolution(7)). */
export class FileTree {
  readonly mounts: Mount[] = [];

  /** Hangs a file system (or, with `root`, a part of one) over a directory that exists. */
  mount(superblock: Superblock, mountPoint: string, who: Credentials, root: Inode = superblock.root): Mount {
    const on = mountPoint === '/' && this.mounts.length === 0 ? undefined : this.locate(mountPoint, { who, followLast: true, syscall: 'mount' });
    const mount: Mount = { superblock, mountPoint, root, on, readOnly: superblock.readOnly };
    this.mounts.push(mount);
    return mount;
  }

  /** Takes the topmost mount of a mount point away. @throws `EINVAL` (nothing mounted), `EBUSY` (mounts inside) */
  unmount(mountPoint: string): Mount {
    const mount = this.mounts.findLast((candidate) => candidate.mountPoint === mountPoint);
    if (mount === undefined) throw posixError('EINVAL', { syscall: 'umount', path: mountPoint });
    if (this.mounts.some((other) => other.on?.mount === mount)) throw posixError('EBUSY', { syscall: 'umount', path: mountPoint });
    this.mounts.splice(this.mounts.indexOf(mount), 1);
    return mount;
  }

  /** @throws `ENOENT`, `ENOTDIR`, `EACCES`, `ELOOP`, `ENAMETOOLONG`, `EINVAL` (a zero byte) */
  locate(path: string, options: LookUp): Location {
    const { found } = this.look(path, options);
    if (found === undefined) throw posixError('ENOENT', { syscall: options.syscall, path });
    return found;
  }

  /** Like `locate`, but the last component need not be there. */
  look(path: string, options: LookUp): Entry {
    const fail = (code: PosixCode): never => {
      throw posixError(code, { syscall: options.syscall, path });
    };
    if (path === '') return fail('ENOENT');
    if (path.includes('\0')) return fail('EINVAL');
    if (Buffer.byteLength(path) > maxPath) return fail('ENAMETOOLONG');
    const start = path.startsWith('/') ? this.#root() : this.locate(options.from ?? '/', { ...options, followLast: true });
    return this.#walk(start, path, options, fail);
  }

  #root(): Location {
    const first = this.mounts[0];
    if (first === undefined) throw posixError('ENOENT', { path: '/' });
    return this.#topmost({ mount: first, inode: first.root });
  }

  #walk(start: Location, path: string, options: LookUp, fail: (code: PosixCode) => never): Entry {
    let at = start;
    let links = 0;
    const todo = path.split('/').filter((name) => name !== '');
    const wantsDirectory = path.endsWith('/') || path.endsWith('/.');
    let name = '.';
    for (let next = todo.shift(); next !== undefined; next = todo.shift()) {
      name = next;
      const last = todo.length === 0;
      const { inode, mount } = at;
      if (inode.kind !== 'directory') return fail('ENOTDIR');
      if (!permits(inode, options.who, 'execute')) return fail('EACCES');
      if (Buffer.byteLength(name) > maxName) return fail('ENAMETOOLONG');
      if (name === '.') continue;
      if (name === '..') {
        at = this.#up(at, inode);
        continue;
      }
      const child = inode.entries.get(name);
      if (child === undefined) {
        if (!last) return fail('ENOENT');
        if (wantsDirectory) return fail(options.syscall === 'open' ? 'EISDIR' : 'ENOENT');
        return { mount, parent: inode, name, found: undefined };
      }
      if (child.kind === 'symlink' && (!last || options.followLast || wantsDirectory)) {
        links += 1;
        if (links > maxSymlinks) return fail('ELOOP');
        if (child.target.startsWith('/')) at = this.#root();
        todo.unshift(...child.target.split('/').filter((part) => part !== ''));
        continue;
      }
      const found = this.#topmost({ mount, inode: child });
      if (last) {
        if (wantsDirectory && found.inode.kind !== 'directory') return fail('ENOTDIR');
        return { mount, parent: inode, name, found };
      }
      at = found;
    }
    if (at.inode.kind !== 'directory') return fail('ENOTDIR');
    return { mount: at.mount, parent: at.inode, name, found: at };
  }

  #up(at: Location, inode: Directory): Location {
    if (inode !== at.mount.root) return { mount: at.mount, inode: inode.parent ?? inode };
    const { on } = at.mount;
    return on === undefined || on.inode.kind !== 'directory' ? at : this.#up(on, on.inode);
  }

  /** What shows at a place: the last mount upon the last mount … upon it. */
  #topmost(place: Location): Location {
    let shown = place;
    for (;;) {
      const { inode, mount } = shown;
      const over = this.mounts.findLast(({ on }) => on?.inode === inode && on.mount === mount);
      if (over === undefined) return shown;
      shown = { mount: over, inode: over.root };
    }
  }
}
