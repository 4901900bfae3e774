// SPDX-License-Identifier: Apache-2.0
import type { FileSystemInfo, FileSystemUsage } from '../../../core/ports/index.ts';
import { disksUnder } from './disk-address.ts';
import { deviceBehind } from '../kernel-files.ts';
import { mountPath, statBlockDevice, type MountEntry, type StatDevice } from './mounts.ts';
import { readReachableMounts } from './reachable-mounts.ts';
import { withSerials } from '../facts/virtio-serials.ts';

/** Numbers of statvfs(3): blocks of `fragmentSize` bytes. */
export interface FileSystemSize {
  readonly fragmentSize: bigint;
  readonly blocks: bigint;
  readonly blocksFree: bigint;
  /** What an ordinary user can have of the free ones. */
  readonly blocksAvailable: bigint;
}

/** Asks the file system at a path for its size, off the event loop and off libuv's pool. May never answer. */
export type StatFileSystem = (path: string | Buffer) => Promise<FileSystemSize>;

/** Faster ways to the same. */
export interface QuickSizes {
  /** At once; `undefined` where the way to the file system is not in memory. Only asked of those that `tellsFromMemory`. */
  now(path: string | Buffer): FileSystemSize | undefined;
  /** Of many, on one thread after the other; `undefined` for one that can't be asked. May never answer. */
  together(paths: readonly (string | Buffer)[]): Promise<readonly (FileSystemSize | undefined)[]>;
}

/**
 * ext4 counts its blocks in memory and waits for nothing when it is asked, frozen or not; but the limit of a project may
 * have to be read from the disk. (XFS waited for inodes to be reclaimed in Linux 5.14 to 5.18.)
 */
const tellsFromMemory = ({ fsType, superOptions }: MountEntry): boolean => /^ext[234]$/.test(fsType) && !superOptions.includes('prjquota');

/** How long a file system may take to tell its size: it does so from memory, unless its device hangs. */
const sizeLimitMs = 2000;

/** Sizes asked for at a time, and unanswered ones that are put up with: each stuck one holds a thread. */
const sizesAtOnce = 16;
const sizesPending = 32;

/**
 * guest-get-fsinfo. `root` is put before every path: '' for the running system. A mount point whose size did not come
 * in time is not asked again before it has answered, so that a hung device holds one thread however often it is asked.
 */
export function linuxUsage(
  root: string,
  statFileSystem: StatFileSystem,
  statDevice: StatDevice = statBlockDevice(root),
  limitMs: number = sizeLimitMs,
  quick?: QuickSizes,
): FileSystemUsage {
  const pending = new Map<string, Promise<FileSystemSize | undefined>>();
  let together: Promise<unknown> | undefined;

  /** One thread for all costs a tenth of one for each. Nothing while an earlier such question hangs, or when this one does. */
  const askTogether = async (entries: readonly MountEntry[]): Promise<readonly (FileSystemSize | undefined)[] | undefined> => {
    if (quick === undefined || together !== undefined || pending.size > 0) return undefined;
    const answer = quick.together(entries.map(mountPath)).catch(() => undefined);
    together = answer;
    void answer.then(() => {
      together = undefined;
    });
    const deadline = deadlineAfter(limitMs / 4);
    const sizes = await Promise.race([answer, deadline.passed]);
    deadline.cancel();
    return sizes;
  };

  /** Each on a thread of its own, as many at a time as may be. */
  const askEach = async (entries: readonly MountEntry[], sizes: Map<MountEntry, FileSystemSize | undefined>): Promise<void> => {
    const deadline = deadlineAfter(limitMs);
    const queue = entries.values();
    const worker = async (): Promise<void> => {
      for (const entry of queue) {
        if (deadline.hasPassed()) return;
        sizes.set(entry, await Promise.race([ask(entry), deadline.passed]));
      }
    };
    await Promise.all(Array.from({ length: Math.min(sizesAtOnce, entries.length) }, worker));
    deadline.cancel();
  };

  const ask = (entry: MountEntry): Promise<FileSystemSize | undefined> => {
    const key = `${entry.major}:${entry.minor} ${entry.mountPoint}`;
    const running = pending.get(key);
    if (running !== undefined) return running;
    if (pending.size >= sizesPending) return Promise.resolve(undefined);
    const answer = statFileSystem(mountPath(entry))
      .catch(() => undefined)
      .finally(() => pending.delete(key));
    pending.set(key, answer);
    return answer;
  };

  return {
    list: async () => {
      const mounts = readReachableMounts(root, statDevice);
      const sizes = new Map<MountEntry, FileSystemSize | undefined>();
      // What covers a file system is not asked for it.
      const reachable = mounts.flatMap(({ through }) => through ?? []);
      if (quick !== undefined) {
        for (const entry of reachable) if (tellsFromMemory(entry)) sizes.set(entry, quick.now(mountPath(entry)));
      }
      const others = reachable.filter((entry) => sizes.get(entry) === undefined);
      if (others.length > 0) {
        const answers = await askTogether(others);
        if (answers === undefined) await askEach(others, sizes);
        else others.forEach((entry, index) => sizes.set(entry, answers[index]));
      }
      return withSerials(() => mounts.map(({ entry, through }) => describe(root, entry, through && sizes.get(through))));
    },
  };
}

interface Deadline {
  readonly passed: Promise<undefined>;
  hasPassed(): boolean;
  cancel(): void;
}

function deadlineAfter(ms: number): Deadline {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let passed = false;
  const timer = setTimeout(() => {
    passed = true;
    resolve(undefined);
  }, ms);
  return { passed: promise, hasPassed: () => passed, cancel: () => clearTimeout(timer) };
}

function describe(root: string, entry: MountEntry, size: FileSystemSize | undefined): FileSystemInfo {
  const numbers = `${entry.major}:${entry.minor}`;
  const device = deviceBehind(root, `/sys/dev/block/${numbers}`);
  return {
    name: device === undefined ? numbers : device.slice(device.lastIndexOf('/') + 1),
    mountPoint: entry.mountPoint,
    type: entry.fsType,
    ...(size !== undefined && bytesOf(size)),
    disks: device === undefined ? [] : disksUnder(root, device),
  };
}

function bytesOf({ fragmentSize, blocks, blocksFree, blocksAvailable }: FileSystemSize):
  Required<Pick<FileSystemInfo, 'usedBytes' | 'totalBytes' | 'totalBytesPrivileged'>> {
  const used = blocks - blocksFree;
  return {
    usedBytes: used * fragmentSize,
    totalBytes: (used + blocksAvailable) * fragmentSize,
    totalBytesPrivileged: blocks * fragmentSize,
  };
}
