import { AgentError } from '../../../core/errors/agent-error.ts';
import type { Trimming, TrimOutcome } from '../../../core/ports/file-system.ts';
import { mountPath, readDeviceMounts } from './mounts.ts';
import { type NativeAddon, nativeAddon } from '../native.ts';

interface TrimmingAddon extends NativeAddon {
  /** FITRIM of the whole file system. */
  trim(mountPoint: string | Uint8Array, minimum: bigint): Promise<readonly [trimmed: bigint, minimum: bigint]>;
}

/** fstrim(8) for the mounts of `readDeviceMounts`. `root` stands before /proc: '' for the running system. */
export function linuxTrimming(root = '', addon = nativeAddon() as TrimmingAddon): Trimming {
  return {
    async trim(minimum) {
      const outcomes: TrimOutcome[] = [];
      // One after the other: a discard keeps a device busy, and several mounts often share one.
      for (const mount of readDeviceMounts(root)) {
        outcomes.push({ path: mount.mountPoint, ...(await trimOne(addon, mountPath(mount), minimum)) });
      }
      return outcomes;
    },
  };
}

async function trimOne(addon: TrimmingAddon, path: string | Uint8Array, asked: bigint): Promise<Omit<TrimOutcome, 'path'>> {
  try {
    const [trimmed, minimum] = await addon.trim(path, asked);
    return { trimmed, minimum };
  } catch (error) {
    if (!AgentError.is(error)) throw error;
    if (error.os?.syscall === 'open') return { error: `failed to open: ${error.message}` };
    const unsupported = error.os?.code === 'ENOTTY' || error.os?.code === 'EOPNOTSUPP';
    return { error: unsupported ? 'trim not supported' : `failed to trim: ${error.message}` };
  }
}
