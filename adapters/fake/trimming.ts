// SPDX-License-Identifier: Apache-2.0
import { osCode, messageOf } from '../../core/errors/agent-error.ts';
import { posixError } from '../../core/errors/posix-errno.ts';
import type { Trimming, TrimOutcome } from '../../core/ports/index.ts';
import type { Faults } from './faults.ts';
import type { FakeFileSystems } from './file-systems.ts';
import type { Credentials } from './inodes.ts';
import type { Superblock } from './superblock.ts';

export interface TrimmingOptions {
  readonly fileSystems: FakeFileSystems;
  readonly faults: Faults;
  readonly who: Credentials;
}

/** FITRIM on every file system with a block device; what was discarded once is not discarded again. */
export function fakeTrimming({ fileSystems, faults, who }: TrimmingOptions): Trimming {
  const discard = async (path: string, minimum: bigint): Promise<{ readonly trimmed: bigint; readonly minimum: bigint }> => {
    const superblock = await fileSystems.openMountPoint(path, who);
    const fail = { syscall: 'ioctl', path };
    await faults.pass('kernel', 'fitrim', path);
    if (superblock.trim === false) throw posixError('EOPNOTSUPP', fail);
    if (who.uid !== 0) throw posixError('EPERM', fail);
    if (superblock.readOnly) throw posixError('EROFS', fail);
    await superblock.writable();
    const { bytes, granularity } = superblock.trim;
    // ext4 and xfs refuse a smallest range that is larger than the file system.
    if (minimum > BigInt(superblock.capacityBytes)) throw posixError('EINVAL', fail);
    const used = minimum > granularity ? minimum : granularity;
    if (bytes < used) return { trimmed: 0n, minimum: used };
    superblock.trim = { bytes: 0n, granularity };
    return { trimmed: bytes, minimum: used };
  };

  const trimOne = async (superblock: Superblock, minimum: bigint): Promise<TrimOutcome> => {
    const path = fileSystems.nameOf(superblock);
    const through = fileSystems.reachedAt(superblock);
    if (through === undefined) return { path, error: 'failed to trim: other mounts cover every place where it is mounted' };
    try {
      return { path, ...(await discard(through, minimum)) };
    } catch (error) {
      const code = osCode(error);
      if (code === 'EOPNOTSUPP' || code === 'ENOTTY') return { path, error: 'trim not supported' };
      return { path, error: `failed to trim: ${messageOf(error)}` };
    }
  };

  return {
    trim: async (minimum) => {
      const outcomes: TrimOutcome[] = [];
      for (const superblock of fileSystems.listed()) {
        // oxlint-disable-next-line no-await-in-loop -- in mount order, as the device would be asked
        outcomes.push(await trimOne(superblock, minimum));
      }
      return outcomes;
    },
  };
}
