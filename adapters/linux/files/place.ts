// SPDX-License-Identifier: Apache-2.0
import type { Place } from '../../../core/ports/file-system.ts';
import { type MountEntry, readMountInfo } from '../block/mounts.ts';
import { linkText, readText } from '../kernel-files.ts';

/** What is known of a descriptor. */
export interface Held {
  readonly descriptor: number;
  readonly isDirectory: boolean;
  /** How many hard links there are. */
  readonly names: number;
}

/**
 * Where the thing behind a descriptor lies, by every mount of its file system. The kernel names it by the mount through which it was
 * opened; what that shows of the file system (`root` in mountinfo) is what the others show, too. Asks the kernel alone, no disk.
 */
export function placeOf({ descriptor, isDirectory, names }: Held): Place {
  const name = linkText(`/proc/self/fd/${descriptor}`) ?? '';
  const mountId = Number(/^mnt_id:\s*(\d+)$/m.exec(readText(`/proc/self/fdinfo/${descriptor}`))?.[1]);
  const mounts = readMountInfo('') ?? [];
  const mount = mounts.find((one) => one.mountId === mountId);
  const inner = mount === undefined ? undefined : moved(name, mount.mountPoint, mount.root);
  // No mount of ours: that of a container, or of nobody (a pipe).
  if (mount === undefined || inner === undefined) return { names: [name], mayHaveOthers: true };
  const all = mounts.filter((other) => isSameSuperblock(other, mount)).map((other) => moved(inner, other.root, other.mountPoint));
  // One without a name has been deleted, and its path tells so in words that may be another's name.
  const mayHaveOthers = isDirectory ? names === 0 : names !== 1;
  return { names: [...new Set([name, ...all.filter((one) => one !== undefined)])], mayHaveOthers };
}

const isSameSuperblock = (one: MountEntry, other: MountEntry): boolean => one.major === other.major && one.minor === other.minor;

/** A path below one directory as the same below another; nothing where it is not below it. */
function moved(path: string, from: string, to: string): string | undefined {
  const rest = from === '/' ? path : path === from ? '' : path.startsWith(`${from}/`) ? path.slice(from.length) : undefined;
  if (rest === undefined || (from === '/' && !path.startsWith('/'))) return undefined;
  return (to === '/' ? rest : `${to}${rest === '/' ? '' : rest}`) || '/';
}
