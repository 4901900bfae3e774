// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { posixError, type PosixCode } from '../../../core/errors/posix-errno.ts';
import { linuxTrimming } from '../../../adapters/linux/block/trimming.ts';
import type { NativeAddon } from '../../../adapters/linux/native.ts';
import { scratchDirectory, tree } from './support/scratch.ts';

const mountInfo = [
  '20 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw',
  '21 20 0:5 / /proc rw - proc proc rw',
  '22 20 8:2 / /data rw - xfs /dev/sda2 rw',
  '23 20 8:3 / /mnt/with\\040blank rw - vfat /dev/sda3 rw',
].join('\n');

type Trim = (path: string | Uint8Array, minimum: bigint, mountId: number) => Promise<readonly [bigint, bigint]>;

function trimmingWith(trim: Trim, mounts = mountInfo) {
  const root = scratchDirectory();
  tree(root, { 'proc/self/mountinfo': `${mounts}\n` });
  return linuxTrimming(root, { trim } as NativeAddon & { trim: Trim });
}

const refuse = (code: PosixCode, syscall: string) => (): Promise<never> => Promise.reject(posixError(code, { syscall }));

describe('trimming', () => {
  it('asks every file system on a block device, in mount order, with the smallest range that is worth it', async () => {
    const asked: [string | Uint8Array, bigint][] = [];
    const trimming = trimmingWith(async (path, minimum) => {
      asked.push([path, minimum]);
      return [4096n, 512n];
    });

    const outcomes = await trimming.trim(2n ** 64n - 1n);

    expect(asked).toEqual([['/', 2n ** 64n - 1n], ['/data', 2n ** 64n - 1n], ['/mnt/with blank', 2n ** 64n - 1n]]);
    expect(outcomes[1]).toEqual({ path: '/data', trimmed: 4096n, minimum: 512n });
  });

  it.each([
    ['ioctl', 'EOPNOTSUPP', 'trim not supported'],
    ['ioctl', 'ENOTTY', 'trim not supported'],
    ['ioctl', 'EPERM', 'failed to trim: Operation not permitted'],
    ['open', 'EACCES', 'failed to open: Permission denied'],
  ] as const)('tells of a file system whose %s says %s: %s', async (syscall, code, error) => {
    const outcomes = await trimmingWith(refuse(code, syscall)).trim(0n);

    expect(outcomes).toEqual([{ path: '/', error }, { path: '/data', error }, { path: '/mnt/with blank', error }]);
  });

  it('asks each superblock once, through a mount that can be reached, and has an error for one without', async () => {
    const asked: [string | Uint8Array, number][] = [];
    const trimming = trimmingWith(async (path, _minimum, mountId) => {
      asked.push([path, mountId]);
      return [4096n, 512n];
    }, [
      mountInfo, '24 22 8:4 / /data rw - ext4 /dev/sda4 rw', '25 20 8:5 / /here rw - ext4 /dev/sda5 rw', '26 20 8:5 / /there rw - ext4 /dev/sda5 rw',
      '27 25 8:6 / /here rw - ext4 /dev/sda6 rw',
    ].join('\n'));

    const outcomes = await trimming.trim(0n);

    const done = { trimmed: 4096n, minimum: 512n };
    expect(outcomes).toEqual([
      { path: '/', ...done }, { path: '/data', error: 'failed to trim: other mounts cover every place where it is mounted' },
      { path: '/mnt/with blank', ...done }, { path: '/data', ...done }, { path: '/here', ...done }, { path: '/here', ...done },
    ]);
    expect(asked).toEqual([['/', 20], ['/mnt/with blank', 23], ['/data', 24], ['/there', 26], ['/here', 27]]);
  });

  it('has an error for a file system that is covered while others are being trimmed', async () => {
    const outcomes = await trimmingWith(refuse('ESTALE', 'open')).trim(0n);

    expect(outcomes[1]).toEqual({ path: '/data', error: 'failed to trim: other mounts cover every place where it is mounted' });
  });

  it('fails where the list of mounts cannot be read', async () => {
    const trimming = linuxTrimming(scratchDirectory());

    await expect(trimming.trim(0n)).rejects.toMatchObject({ message: "failed to open mtab file: '/proc/self/mounts'" });
  });
});
