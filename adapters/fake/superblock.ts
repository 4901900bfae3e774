// SPDX-License-Identifier: Apache-2.0
import { posixError } from '../../core/errors/posix-errno.ts';
import type { LeftOutReason } from '../../core/ports/index.ts';
import type { FakeClock } from './clock.ts';
import type { Faults } from './faults.ts';
import { newDirectory, type Directory } from './inodes.ts';

export interface SuperblockDescription {
  /** `MAJOR:MINOR` of its block device, or of the anonymous device. */
  readonly id: string;
  readonly type: string;
  /** What is mounted, as mountinfo has it: `/dev/vda1`, `tmpfs`, `server:/export`. */
  readonly source: string;
  readonly readOnly?: boolean;
  /** Bytes that fit; default 1 GiB. */
  readonly capacityBytes?: number;
  /** Bytes that are taken already, beside those of the files in the fake. */
  readonly occupiedBytes?: number;
  /** Why it is not to be frozen; default by type (`tmpfs` → pseudo, `nfs4` → network …). */
  readonly leftOut?: LeftOutReason;
  /** False: FIFREEZE answers `EOPNOTSUPP`. Default: true for whatever has a block device. */
  readonly freezable?: boolean;
  /** How long writing back takes when it is frozen, on the machine's clock; default 0. */
  readonly flushMs?: number;
  /** What a trim discards. `false`: the device cannot. Default: half of the capacity with 4096 byte granularity. */
  readonly trim?: false | { readonly bytes: bigint; readonly granularity: bigint };
}

const reasons: Readonly<Record<string, LeftOutReason>> = {
  proc: 'pseudo', sysfs: 'pseudo', devtmpfs: 'pseudo', devpts: 'pseudo', tmpfs: 'pseudo', ramfs: 'pseudo', cgroup2: 'pseudo',
  debugfs: 'pseudo', tracefs: 'pseudo', securityfs: 'pseudo', configfs: 'pseudo', autofs: 'pseudo', mqueue: 'pseudo',
  nfs: 'network', nfs4: 'network', cifs: 'network', smb3: 'network', ceph: 'network', '9p': 'network', virtiofs: 'network',
  overlay: 'overlay',
};

const reasonFor = (type: string): LeftOutReason | undefined => reasons[type] ?? (type.startsWith('fuse.') || type === 'fuse' ? 'fuse' : undefined);

export type FreezeState = 'thawed' | 'freezing' | 'frozen';

/**
 * One file system of the fake: contents, space, and the kernel's rules of freezing. From the start of a freeze
 * writers wait; the freeze writes back what is dirty, and that is a write to whatever the file system lies on, which
 * waits in turn where that is frozen. So does a thaw, which writes the superblock (as ext4 does).
 */
export class Superblock {
  readonly id: string;
  readonly type: string;
  readonly source: string;
  readonly root: Directory;
  readonly leftOut: LeftOutReason | undefined;
  /** The file systems that hold its backing store. */
  readonly backing: Superblock[] = [];
  readonly freezable: boolean;
  readOnly: boolean;
  capacityBytes: number;
  occupiedBytes: number;
  /** Every write that needs a new block fails with `ENOSPC`. */
  full = false;
  dirtyBytes = 0;
  flushMs: number;
  trim: false | { readonly bytes: bigint; readonly granularity: bigint };
  /** Freezes that have not been undone. */
  frozenCount = 0;
  readonly #clock: FakeClock;
  readonly #faults: Faults;
  readonly #waiting: (() => void)[] = [];
  #freezing = false;

  constructor(description: SuperblockDescription, clock: FakeClock, faults: Faults) {
    this.#clock = clock;
    this.#faults = faults;
    this.id = description.id;
    this.type = description.type;
    this.source = description.source;
    this.leftOut = description.leftOut ?? reasonFor(description.type);
    this.freezable = description.freezable ?? this.leftOut === undefined;
    this.readOnly = description.readOnly ?? false;
    this.capacityBytes = description.capacityBytes ?? 2 ** 30;
    this.occupiedBytes = description.occupiedBytes ?? 0;
    this.flushMs = description.flushMs ?? 0;
    this.trim = description.trim ?? { bytes: BigInt(this.capacityBytes) / 2n, granularity: 4096n };
    this.root = newDirectory(this);
  }

  get state(): FreezeState {
    if (this.#freezing) return 'freezing';
    return this.frozenCount > 0 ? 'frozen' : 'thawed';
  }

  get waitingWriters(): number {
    return this.#waiting.length;
  }

  get freeBytes(): number {
    return this.full ? 0 : Math.max(0, this.capacityBytes - this.occupiedBytes);
  }

  /** Nothing where a write can go on at once, else a promise that resolves when it can. */
  writable(): void | Promise<void> {
    if (this.state !== 'thawed') return this.#wait();
  }

  async #wait(): Promise<void> {
    while (this.state !== 'thawed') {
      // oxlint-disable-next-line no-await-in-loop -- another freeze may come before this writer gets its turn
      await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    }
  }

  /** FIFREEZE. @throws `EOPNOTSUPP`, `EBUSY` (frozen, or a freeze is under way) */
  async freeze(mountPoint: string): Promise<void> {
    const at = { syscall: 'ioctl', path: mountPoint };
    if (!this.freezable) throw posixError('EOPNOTSUPP', at);
    if (this.state !== 'thawed') throw posixError('EBUSY', at);
    this.#freezing = true;
    try {
      await this.#faults.pass('kernel', 'fifreeze', mountPoint);
      await this.writeBack();
      this.frozenCount = 1;
    } finally {
      this.#freezing = false;
      if (this.frozenCount === 0) this.#wake();
    }
  }

  /** FITHAW. @throws `EINVAL` when it is not frozen */
  async thaw(mountPoint: string): Promise<void> {
    await this.#faults.pass('kernel', 'fithaw', mountPoint);
    if (this.frozenCount === 0) throw posixError('EINVAL', { syscall: 'ioctl', path: mountPoint });
    if (this.frozenCount === 1) await this.#backingWritable();
    // Somebody else may have thawed it while this one waited for the backing store.
    if (this.frozenCount === 0) throw posixError('EINVAL', { syscall: 'ioctl', path: mountPoint });
    this.frozenCount -= 1;
    if (this.frozenCount === 0) this.#wake();
  }

  /** syncfs(2): what is dirty goes to the device, or to the file systems that hold it. */
  async writeBack(): Promise<void> {
    if (this.flushMs > 0 && this.dirtyBytes > 0) await this.#clock.sleep(this.flushMs);
    await this.#backingWritable();
    for (const lower of this.backing) lower.dirtyBytes += this.dirtyBytes;
    this.dirtyBytes = 0;
  }

  async #backingWritable(): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop -- all of them have to be writable, one after the other is enough
    for (const lower of this.backing) await lower.writable();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
