// SPDX-License-Identifier: Apache-2.0
import type { Freezing } from './freezing.ts';

/** A value now, where it is certain that nothing had to be waited for; else a promise of it. An error is thrown or rejects, likewise. */
export type Ready<T> = T | Promise<T>;

/**
 * Files, file systems and disks of the guest.
 *
 * Each member is a capability group: a backend that leaves one out has none of the commands that need it,
 * exactly as a `qemu-ga` built without them. No method blocks the JavaScript thread, and none that can wait for a
 * frozen or hung disk uses libuv's thread pool. Failures are `AgentError`s of kind `os`.
 */
export interface FileSystem {
  readonly files?: FileAccess;
  readonly freezing?: Freezing;
  readonly trimming?: Trimming;
  readonly usage?: FileSystemUsage;
  readonly disks?: Disks;
  readonly diskStatistics?: DiskStatistics;
}

// -- files ------------------------------------------------------------------------------------------------

/** The modes of fopen(3) without their redundant spellings; `binary` only matters where text is translated. */
export interface OpenMode {
  readonly read: boolean;
  readonly write: boolean;
  /** Every write goes to the end of the file, wherever the position is. */
  readonly append: boolean;
  /** Create where it is missing. */
  readonly create: boolean;
  /** Mode of a file that is created, whatever the umask; absent: 0644. Of no meaning where files have no mode. */
  readonly permissions?: number;
  /** Cut an existing file to length 0. */
  readonly truncate: boolean;
}

export interface FileAccess {
  /**
   * Opens `path` without becoming its controlling terminal and without waiting for the other side of a FIFO.
   * A relative path is relative to the agent's working directory. A directory can be opened for reading (the first
   * read then fails with `EISDIR`).
   *
   * With `create`, a file or FIFO that another user has left in a directory with the sticky bit is not opened, and no link that
   * another user has left in a sticky directory of everybody's is followed, whatever the system is set to (`EACCES`).
   *
   * @throws os error of open(2): `ENOENT`, `EACCES`, `ENXIO` (a FIFO without reader, for writing), `ELOOP` …
   */
  open(path: string, mode: OpenMode): Promise<OpenFile>;
  /**
   * The same, for who has to know first where it leads: `admit` is told where what is about to be opened or made really lies, and
   * throws where it must not be. Nothing has been made, cut off, or otherwise done by then, and what is opened is what was
   * told, whatever has been renamed meanwhile. Absent: a policy with rules on files cannot be held, and nothing is opened.
   *
   * @throws what `open` and `admit` throw
   */
  openAdmitted?(path: string, mode: OpenMode, admit: (place: Place) => void): Promise<OpenFile>;
  /** Files that an earlier agent has kept (`keepAs`) and not closed, where they were. Called once. Absent: none outlives an agent. */
  left?(): readonly LeftFile[];
}

/** Where something lies, by what was opened and not by what it was called. */
export interface Place {
  /** Its absolute paths without a link, `.` and `..`, by every mount at which it shows. */
  readonly names: readonly string[];
  /** It may show elsewhere as well: by another name (a hard link), or by a mount that is not known. */
  readonly mayHaveOthers: boolean;
}

export interface LeftFile {
  readonly handle: bigint;
  readonly file: OpenFile;
  /** As it was kept with; absent: of nobody in particular. */
  readonly owner?: string;
}

/** Where an offset counts from. */
export type Whence = 'set' | 'cur' | 'end';

/**
 * An open file with one position for reading and writing. Calls on one file are made one after the other by the core;
 * calls on different files run side by side, and a stuck one delays no other.
 */
export interface OpenFile {
  /**
   * Reads into `into` from the position and moves it. Resolves to the number of bytes: at least 1, or 0 at the end of
   * the file; less than asked for is possible anywhere. The core does not touch `into` before the call settles.
   *
   * @throws os error: `EISDIR`, `EBADF` (not opened for reading), `EAGAIN` (FIFO or terminal with nothing there), `EIO`
   */
  read(into: Uint8Array): Ready<number>;
  /**
   * Writes the whole of `bytes` to the operating system (not to the disk) or throws; after an error an unknown prefix
   * may have been written, as with write(2).
   *
   * @throws os error: `ENOSPC`, `EBADF` (not opened for writing), `EFBIG`, `EAGAIN` (FIFO that is full), `EPIPE`
   */
  write(bytes: Uint8Array): Ready<void>;
  /** Moves the position and answers the new one. @throws `EINVAL` (before the start), `ESPIPE` (FIFO, terminal) */
  seek(offset: bigint, whence: Whence): Ready<bigint>;
  /**
   * Hands everything written to the operating system, and no further: nothing to do where `write` is unbuffered. On
   * Windows to the disk, as in qemu-ga 11.1. No error for a file that can only be read.
   */
  flush(): Ready<void>;
  /** The next agent is to find it under this handle, and as this owner's, where anything outlives this one; until it is closed. */
  keepAs?(handle: bigint, owner: string): void;
  /** Gives the file back, whatever happens; throws what close(2) said. The file is unusable afterwards in any case. */
  close(): Promise<void>;
}

// -- trim -------------------------------------------------------------------------------------------------

export interface Trimming {
  /**
   * Discards unused blocks of every mounted file system that can hold data, in mount order, one entry each.
   * `minimum` is the smallest free range worth discarding in bytes, as an unsigned 64-bit number. A file system that
   * cannot be trimmed is an entry with `error`, never a rejected call. May take minutes; blocks nothing else.
   *
   * @throws failed error when the list of mounts itself cannot be read
   */
  trim(minimum: bigint): Promise<readonly TrimOutcome[]>;
}

export interface TrimOutcome {
  readonly path: string;
  /** Bytes discarded and the granularity that the kernel used; absent where the system does not tell, or on error. */
  readonly trimmed?: bigint;
  readonly minimum?: bigint;
  /** The whole sentence: `trim not supported`, `failed to trim: Operation not permitted`. */
  readonly error?: string;
}

// -- usage and disks --------------------------------------------------------------------------------------

export interface FileSystemUsage {
  /**
   * Every mounted file system with a block device of its own, once each, in mount order.
   * A broken device path costs that entry its `disks`, never the whole answer; a file system whose size cannot be
   * asked (a hung device) lacks the three sizes.
   */
  list(): Promise<readonly FileSystemInfo[]>;
}

export interface FileSystemInfo {
  /** `vda1`, `dm-0`; a volume GUID path on Windows. */
  readonly name: string;
  readonly mountPoint: string;
  readonly type: string;
  readonly usedBytes?: bigint;
  /** What an ordinary user can fill. */
  readonly totalBytes?: bigint;
  /** With the blocks reserved for root. */
  readonly totalBytesPrivileged?: bigint;
  /** Every disk on which it lies: several for a volume group or a software RAID, none where it has no hardware. */
  readonly disks: readonly DiskAddress[];
}

export type DiskBusType =
  | 'ide' | 'fdc' | 'scsi' | 'virtio' | 'xen' | 'usb' | 'uml' | 'sata' | 'sd' | 'unknown' | 'ieee1394' | 'ssa' | 'fibre'
  | 'raid' | 'iscsi' | 'sas' | 'mmc' | 'virtual' | 'file-backed-virtual' | 'nvme';

export interface PciAddress {
  readonly domain: number;
  readonly bus: number;
  readonly slot: number;
  readonly function: number;
}

export interface CcwAddress {
  readonly cssid: number;
  readonly ssid: number;
  readonly subchno: number;
  readonly devno: number;
}

export interface DiskAddress {
  /** All members −1 where the controller is not a known PCI device. */
  readonly pciController: PciAddress;
  readonly busType: DiskBusType;
  readonly bus: number;
  readonly target: number;
  readonly unit: number;
  readonly serial?: string;
  /** `/dev/vda1`, `\\.\PhysicalDrive0`. */
  readonly dev?: string;
  readonly ccwAddress?: CcwAddress;
}

export interface Disks {
  /** Disks and partitions in order of discovery, a disk before its partitions. Entries that vanish meanwhile are left out. */
  list(): Promise<readonly DiskInfo[]>;
}

export interface DiskInfo {
  readonly name: string;
  readonly partition: boolean;
  /** Device names that it lies on; absent where the system has no such notion for it. */
  readonly dependencies?: readonly string[];
  readonly address?: DiskAddress;
  /** Device-mapper name. */
  readonly alias?: string;
  readonly smart?: NvmeSmart;
}

/** Log page 0x02 of NVMe. 128-bit counters are given whole; the wire splits them. Temperature in kelvin. */
export interface NvmeSmart {
  readonly criticalWarning: number;
  readonly temperature: number;
  readonly availableSpare: number;
  readonly availableSpareThreshold: number;
  readonly percentageUsed: number;
  readonly dataUnitsRead: bigint;
  readonly dataUnitsWritten: bigint;
  readonly hostReadCommands: bigint;
  readonly hostWriteCommands: bigint;
  readonly controllerBusyTime: bigint;
  readonly powerCycles: bigint;
  readonly powerOnHours: bigint;
  readonly unsafeShutdowns: bigint;
  readonly mediaErrors: bigint;
  readonly numberOfErrorLogEntries: bigint;
}

export interface DiskStatistics {
  /** One entry per block device in the system's order. Sectors of 512 bytes, ticks in milliseconds. */
  list(): Promise<readonly DiskStatisticsEntry[]>;
}

/** Counters that the running kernel does not keep are absent. */
export interface DiskCounters {
  readonly readIos?: bigint;
  readonly readMerges?: bigint;
  readonly readSectors?: bigint;
  readonly readTicks?: bigint;
  readonly writeIos?: bigint;
  readonly writeMerges?: bigint;
  readonly writeSectors?: bigint;
  readonly writeTicks?: bigint;
  readonly iosInProgress?: bigint;
  readonly totalTicks?: bigint;
  readonly weightTicks?: bigint;
  readonly discardIos?: bigint;
  readonly discardMerges?: bigint;
  readonly discardSectors?: bigint;
  readonly discardTicks?: bigint;
  readonly flushIos?: bigint;
  readonly flushTicks?: bigint;
}

export interface DiskStatisticsEntry {
  readonly name: string;
  readonly major: number;
  readonly minor: number;
  readonly counters: DiskCounters;
}
