// SPDX-License-Identifier: Apache-2.0
import type { MountEntry } from './mounts.ts';

/**
 * Which mount a path leads to, from the list of mounts alone: no file system is asked, so that a hung one can't be
 * waited for. Paths are absolute and without symbolic links, as the kernel prints them.
 */
export class MountTree {
  readonly #top: MountEntry | undefined;
  readonly #mountedAt = new Map<string, MountEntry>();

  constructor(entries: readonly MountEntry[]) {
    const ids = new Set(entries.map(({ mountId }) => mountId));
    let top: MountEntry | undefined;
    for (const entry of entries) {
      // The root's parent is outside of this view of the file tree, or the root itself.
      const isTop = !ids.has(entry.parentId) || entry.parentId === entry.mountId;
      if (isTop) top ??= entry;
      // A second one without a parent: the list was read while mounts changed, and its parent is gone or yet to come.
      const parentId = isTop ? top?.mountId : entry.parentId;
      if (parentId !== undefined && entry !== top) this.#mountedAt.set(key(parentId, entry.mountPoint), entry);
    }
    this.#top = top === undefined ? undefined : this.#uppermost(top);
  }

  /** The mount that open(2) of the path would reach. */
  resolve(path: string): MountEntry | undefined {
    let mount = this.#top;
    for (let end = path.indexOf('/', 1); mount !== undefined; end = path.indexOf('/', end + 1)) {
      const prefix = end < 0 ? path : path.slice(0, end);
      const next = prefix === '/' ? undefined : this.#mountedAt.get(key(mount.mountId, prefix));
      if (next !== undefined) mount = this.#uppermost(next);
      if (end < 0) break;
    }
    return mount;
  }

  /** Whether its mount point leads to this very mount, and not to one that covers it or a directory above it. */
  isVisible(entry: MountEntry): boolean {
    return this.resolve(entry.mountPoint)?.mountId === entry.mountId;
  }

  /** Mounts are stacked by mounting onto the root of the one below. */
  #uppermost(mount: MountEntry): MountEntry {
    let top = mount;
    for (let next = this.#mountedAt.get(key(top.mountId, top.mountPoint)); next !== undefined;) {
      top = next;
      next = this.#mountedAt.get(key(top.mountId, top.mountPoint));
    }
    return top;
  }
}

const key = (parentId: number, mountPoint: string): string => `${parentId} ${mountPoint}`;
