// SPDX-License-Identifier: Apache-2.0
import { readFileSync, statSync } from 'node:fs';

import { AgentError } from '../../../core/errors/agent-error.ts';
import { deviceNumbers, type DeviceNumbers } from './device-numbers.ts';
import { latin1Text } from '../kernel-files.ts';
import { textFromBytes } from '../text.ts';

/**
 * One line of /proc/self/mountinfo (proc_pid_mountinfo(5)), unescaped.
 *
 * Names are bytes on Linux. Each text here is valid for the wire: a byte that is no UTF-8 came out as U+FFFD, and then
 * `mountPointBytes` holds what has to be handed to the kernel instead of `mountPoint`.
 */
export interface MountEntry {
  readonly mountId: number;
  readonly parentId: number;
  /** Of the superblock: 0 for one without a block device. */
  readonly major: number;
  readonly minor: number;
  /** Which directory of the file system is mounted: `/`, or the source of a bind mount. */
  readonly root: string;
  readonly mountPoint: string;
  readonly mountPointBytes?: Buffer;
  /** Of this mount, with commas: `rw,noatime`. */
  readonly options: string;
  /** `shared:1`, `master:2`, `propagate_from:3`, `unbindable`. */
  readonly optionalFields: readonly string[];
  readonly fsType: string;
  readonly source: string;
  /** Of the superblock, with commas: `rw,errors=remount-ro`. */
  readonly superOptions: string;
}

/** Numbers of the block device at a path, or `undefined` where there is none. */
export type StatDevice = (path: string) => DeviceNumbers | undefined;

/** What has to be handed to the kernel to reach a mount point. */
export const mountPath = (entry: MountEntry): string | Buffer => entry.mountPointBytes ?? entry.mountPoint;

/** Whether nothing can be written through any mount of it: read-only superblock, not only a read-only bind mount. */
export const isReadOnlySuperblock = (entry: MountEntry): boolean => hasOption(entry.superOptions, 'ro');

const hasOption = (options: string, name: string): boolean => options.split(',').includes(name);

/**
 * Parses the whole of mountinfo in file order (mount order). Lines that are not in its form are left out, as the
 * reference does.
 */
export function parseMountInfo(bytes: Uint8Array): MountEntry[] {
  return parseMountInfoText(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1'));
}

export function parseMountInfoText(latin1: string): MountEntry[] {
  const entries: MountEntry[] = [];
  // Hardly any list has a name with an escape or beyond ASCII, and then each text is what it is.
  const plain = !latin1.includes('\\') && asciiOnly.test(latin1);
  for (const line of latin1.split('\n')) {
    const entry = parseLine(line, plain);
    if (entry !== undefined) entries.push(entry);
  }
  return entries;
}

const wholeNumber = /^\d+$/;
const devicePair = /^(\d+):(\d+)$/;

function parseLine(line: string, plain: boolean): MountEntry | undefined {
  const fields = line.split(' ');
  const [mountId = '', parentId = '', device = '', root = '', mountPoint = '', options = ''] = fields;
  // The optional fields end at the first lone hyphen; a name can't be one, for its blanks are escaped.
  const separator = fields.indexOf('-', 6);
  const pair = devicePair.exec(device);
  if (separator < 0 || pair === null || mountPoint === '') return undefined;
  if (!wholeNumber.test(mountId) || !wholeNumber.test(parentId)) return undefined;
  const fsType = fields[separator + 1];
  const source = fields[separator + 2];
  if (fsType === undefined || fsType === '' || source === undefined) return undefined;
  return {
    mountId: Number(mountId),
    parentId: Number(parentId),
    major: Number(pair[1]),
    minor: Number(pair[2]),
    root: plain ? root : unescapeText(root),
    ...(plain ? { mountPoint } : mountPointMembers(mountPoint)),
    options,
    optionalFields: fields.slice(6, separator),
    fsType: plain ? fsType : unescapeText(fsType),
    source: plain ? source : unescapeText(source),
    superOptions: fields.slice(separator + 3).join(' '),
  };
}

/** `\040` for a blank and the like (seq_file's mangle), and `\\`, which getmntent(3) knows too. */
const unescapeOctal = (latin1: string): string =>
  latin1.includes('\\')
    ? latin1.replace(/\\([0-3][0-7]{2}|\\)/g, (_, code: string) =>
        code === '\\' ? '\\' : String.fromCharCode(Number.parseInt(code, 8)))
    : latin1;

// eslint-disable-next-line no-control-regex -- the plain ASCII range is what is meant
const asciiOnly = /^[\0-\x7f]*$/;

function unescapeText(latin1: string): string {
  const raw = unescapeOctal(latin1);
  return asciiOnly.test(raw) ? raw : textFromBytes(Buffer.from(raw, 'latin1'));
}

function mountPointMembers(latin1: string): Pick<MountEntry, 'mountPoint' | 'mountPointBytes'> {
  const raw = unescapeOctal(latin1);
  if (asciiOnly.test(raw)) return { mountPoint: raw };
  const mountPointBytes = Buffer.from(raw, 'latin1');
  const mountPoint = textFromBytes(mountPointBytes);
  return mountPointBytes.equals(Buffer.from(mountPoint)) ? { mountPoint } : { mountPoint, mountPointBytes };
}

/**
 * The block device of a mount. Anonymous ones (major 0) are none, but for btrfs, which hides its disk behind one: there
 * the source tells (qemu-ga 11.1).
 */
export const mountedDevice = (entry: MountEntry, statDevice: StatDevice): DeviceNumbers | undefined =>
  entry.major === 0 ? (entry.fsType === 'btrfs' ? statDevice(entry.source) : undefined) : entry;

/**
 * The mounts that freeze, trim and fsinfo are about, one per block device, in mount order: the first mount of each
 * device.
 */
export function deviceMounts(entries: readonly MountEntry[], statDevice: StatDevice): MountEntry[] {
  const seen = new Set<string>();
  const kept: MountEntry[] = [];
  for (const entry of entries) {
    const device = mountedDevice(entry, statDevice);
    if (device === undefined) continue;
    const key = `${device.major}:${device.minor}`;
    if (seen.has(key)) continue;
    seen.add(key);
    kept.push(device === entry ? entry : { ...entry, major: device.major, minor: device.minor });
  }
  return kept;
}

/** Lists longer than this are not worth keeping twice. */
const longestRemembered = 64 * 1024;
let last: { readonly text: string; readonly entries: readonly MountEntry[] } | undefined;

/** Every mount in the agent's view, in mount order; `undefined` where the kernel offers no mountinfo. */
export function readMountInfo(root: string): readonly MountEntry[] | undefined {
  // Latin-1 keeps each byte one character, so that an octal escape and a raw byte meet in the same alphabet.
  const text = latin1Text(`${root}/proc/self/mountinfo`);
  if (text === undefined) return undefined;
  if (text === last?.text) return last.entries;
  const entries = parseMountInfoText(text);
  last = text.length <= longestRemembered ? { text, entries } : undefined;
  return entries;
}

/**
 * Reads the list of `deviceMounts`. `root` is put before every path: '' for the running system.
 *
 * @throws failed error `failed to open mtab file: '/proc/self/mounts'` when neither list can be read
 */
export function readDeviceMounts(root: string, statDevice: StatDevice = statBlockDevice(root)): MountEntry[] {
  const entries = readMountInfo(root);
  if (entries !== undefined) return deviceMounts(entries, statDevice);
  let table: Buffer;
  try {
    table = readFileSync(`${root}/proc/self/mounts`);
  } catch (error) {
    throw AgentError.failed("failed to open mtab file: '/proc/self/mounts'", error);
  }
  return mountsOfTable(table, statDevice, (path) => statSync(`${root}${path}`, { throwIfNoEntry: false })?.isDirectory() === true);
}

/** Asks the kernel; device nodes lie on devtmpfs, so that this waits for no disk. */
export const statBlockDevice =
  (root: string): StatDevice =>
  (path) => {
    try {
      const status = statSync(`${root}${path}`);
      return status.isBlockDevice() ? deviceNumbers(status.rdev) : undefined;
    } catch {
      return undefined;
    }
  };

/**
 * The same list from the older /proc/self/mounts (fstab(5) form), for kernels without mountinfo. A source that is no
 * block device counts as device 0:0 (so that `/dev/root` of an initial RAM disk survives once), as in qemu-ga 11.1.
 */
export function mountsOfTable(
  table: Uint8Array,
  statDevice: StatDevice,
  isDirectory: (path: string) => boolean,
): MountEntry[] {
  const seen = new Set<string>();
  const kept: MountEntry[] = [];
  for (const line of Buffer.from(table).toString('latin1').split('\n')) {
    const [from = '', mountPoint = '', fsType = '', options = ''] = line.trim().split(/[ \t]+/);
    if (from === '' || from.startsWith('#') || mountPoint === '' || fsType === '') continue;
    const source = unescapeText(from);
    if (!source.startsWith('/') || fsType === 'smbfs' || fsType === 'cifs' || isDirectory(source)) continue;
    const { major, minor } = statDevice(source) ?? { major: 0, minor: 0 };
    if (seen.has(`${major}:${minor}`)) continue;
    seen.add(`${major}:${minor}`);
    kept.push({
      mountId: 0,
      parentId: 0,
      major,
      minor,
      root: '/',
      ...mountPointMembers(mountPoint),
      options,
      optionalFields: [],
      fsType: unescapeText(fsType),
      source,
      superOptions: options,
    });
  }
  return kept;
}
