// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, truncateSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Where all file systems of a scenario are mounted: a tmpfs in the scenario's own mount namespace. */
export const labDirectory = '/media';

/**
 * File systems to freeze. Only for a process in a private mount namespace (`unshare --mount`): it mounts over /mnt.
 * Everything goes with the namespace.
 */
export class Lab {
  readonly stateDirectory = join(labDirectory, 'state');
  readonly #mounted: string[] = [];

  constructor() {
    // Belt and braces: a namespace that shares its mounts with the machine is no place for this.
    if (readFileSync('/proc/self/mountinfo', 'utf8').includes(' shared:')) throw new Error('run this in a private mount namespace');
    this.#mount(['-t', 'tmpfs', 'lab', labDirectory], labDirectory);
    mkdirSync(this.stateDirectory);
  }

  path(name: string): string {
    return join(labDirectory, name);
  }

  /** A file system in a file, mounted through a loop device. `on`: the directory that the file lies in. */
  loop(type: 'ext4' | 'xfs' | 'btrfs', name: string, { on = labDirectory, megabytes = 0, options = '' } = {}): string {
    const image = this.image(`${name}.img`, { on, megabytes: megabytes || sizes[type] });
    execFileSync(`mkfs.${type}`, [...quiet[type], image]);
    return this.mountImage(image, name, options);
  }

  image(name: string, { on = labDirectory, megabytes = 64 } = {}): string {
    const image = join(on, name);
    closeSync(openSync(image, 'w'));
    truncateSync(image, megabytes * 1024 * 1024);
    return image;
  }

  mountImage(image: string, name: string, options = ''): string {
    return this.mount(['-o', ['loop', options].filter(Boolean).join(','), image], name);
  }

  /** Mounts on a new directory of the lab. The arguments of mount(8) but for the last. */
  mount(args: readonly string[], name: string): string {
    const mountPoint = this.path(name);
    mkdirSync(mountPoint, { recursive: true });
    this.#mount([...args, mountPoint], mountPoint);
    return mountPoint;
  }

  #mount(args: readonly string[], mountPoint: string): void {
    execFileSync('mount', args);
    this.#mounted.push(mountPoint);
  }

  unmount(mountPoint: string): void {
    execFileSync('umount', [mountPoint]);
    this.#mounted.splice(this.#mounted.lastIndexOf(mountPoint), 1);
  }

  /** What is frozen now, of the mount points given. Asks by freezing: EBUSY says that it is. */
  frozen(mountPoints: readonly string[]): string[] {
    return mountPoints.filter((mountPoint) => {
      const probe = spawnSync('fsfreeze', ['--freeze', mountPoint], { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } });
      if (probe.status === 0) execFileSync('fsfreeze', ['--unfreeze', mountPoint]);
      else if (!probe.stderr.includes('busy')) throw new Error(probe.stderr);
      return probe.status !== 0;
    });
  }

  /** Thaws whatever a failed scenario left, so that it can be unmounted, and takes everything down. */
  [Symbol.dispose](): void {
    for (const mountPoint of this.#mounted) spawnSync('fsfreeze', ['--unfreeze', mountPoint], { stdio: 'ignore' });
    for (const mountPoint of this.#mounted.toReversed()) spawnSync('umount', [mountPoint], { stdio: 'ignore' });
  }

  remove(path: string): void {
    unlinkSync(path);
  }
}

const sizes = { ext4: 64, xfs: 320, btrfs: 128 } as const;
const quiet = { ext4: ['-q', '-E', 'lazy_itable_init=0,nodiscard'], xfs: ['-q', '-K'], btrfs: ['-q', '-K'] } as const;
