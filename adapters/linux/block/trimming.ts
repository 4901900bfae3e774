// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../../core/errors/agent-error.ts';
import type { Trimming, TrimOutcome } from '../../../core/ports/file-system.ts';
import { mountPath } from './mounts.ts';
import { type NativeAddon, nativeAddon } from '../native.ts';
import { readReachableMounts, type ReachableMount } from './reachable-mounts.ts';

interface TrimmingAddon extends NativeAddon {
  /** FITRIM of the whole file system. `ESTALE` where another mount than that of the number is found there; 0: any. */
  trim(mountPoint: string | Uint8Array, minimum: bigint, mountId: number): Promise<readonly [trimmed: bigint, minimum: bigint]>;
}

/** fstrim(8) for each superblock of `readReachableMounts`, once. `root` stands before /proc: '' for the running system. */
export function linuxTrimming(root = '', addon = nativeAddon() as TrimmingAddon): Trimming {
  return {
    async trim(minimum) {
      const outcomes: TrimOutcome[] = [];
      // One after the other: a discard keeps a device busy, and several mounts often share one.
      for (const mount of readReachableMounts(root)) {
        outcomes.push({ path: mount.entry.mountPoint, ...(await trimOne(addon, mount, minimum)) });
      }
      return outcomes;
    },
  };
}

const covered = { error: 'failed to trim: other mounts cover every place where it is mounted' };

async function trimOne(addon: TrimmingAddon, { through }: ReachableMount, asked: bigint): Promise<Omit<TrimOutcome, 'path'>> {
  if (through === undefined) return covered;
  try {
    const [trimmed, minimum] = await addon.trim(mountPath(through), asked, through.mountId);
    return { trimmed, minimum };
  } catch (error) {
    if (!AgentError.is(error)) throw error;
    // Those before it may have taken minutes.
    if (error.os?.code === 'ESTALE') return covered;
    if (error.os?.syscall === 'open') return { error: `failed to open: ${error.message}` };
    const unsupported = error.os?.code === 'ENOTTY' || error.os?.code === 'EOPNOTSUPP';
    return { error: unsupported ? 'trim not supported' : `failed to trim: ${error.message}` };
  }
}
