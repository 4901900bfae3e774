// SPDX-License-Identifier: Apache-2.0
import { within } from '../../shared/within.ts';
import { attribute } from '../kernel-files.ts';
import { nativeAddon, type NativeAddon } from '../native.ts';
import type { StampFile } from '../remembered-file.ts';

/*
 * virtio-blk asks the host for the serial with every read of the attribute (VIRTIO_BLK_T_GET_ID): a disk that hangs would
 * hold its reader, and a healthy one takes longer than all else together. So it is read on a thread, once for each disk.
 */

/** How long an answer may be late: with the next request it is there. */
const limitMs = 500;
const fileLimit = 64;
/** Far more disks than a guest has; then all are asked again. */
const mostKnown = 1024;

const known = new Map<string, string | undefined>();
const asked = new Map<string, Promise<void>>();

/**
 * Serial of a virtio disk; `undefined` where it has none or did not tell yet (see `withSerials`).
 *
 * @param sequence `DISKSEQ` of its uevent, a number that no other disk of this boot gets; there since Linux 5.15
 */
export function virtioSerial(root: string, diskPath: string, sequence: string | undefined): string | undefined {
  const path = `${root}${diskPath}/serial`;
  if (root !== '') return attribute(path);
  const key = `${diskPath} ${sequence ?? directoryVersion(diskPath)}`;
  if (known.has(key)) return known.get(key);
  if (!asked.has(key)) asked.set(key, ask(key, path));
  return undefined;
}

/** What `work` makes of the disks, once all serials that it asked for are known or late. */
export async function withSerials<T>(work: () => T): Promise<T> {
  const first = work();
  if (asked.size === 0) return first;
  await within(limitMs, Promise.all(asked.values()));
  return work();
}

async function ask(key: string, path: string): Promise<void> {
  let serial: string | undefined;
  try {
    serial = Buffer.from(await nativeAddon().readFile(path, fileLimit)).toString('utf8').trim();
  } catch {
    // A disk without one, or none any more.
  }
  if (known.size >= mostKnown) known.clear();
  known.set(key, serial);
  asked.delete(key);
}

/** A text that another disk at the same place does not have. */
function directoryVersion(path: string): string {
  const stamp = (nativeAddon() as NativeAddon & { fileStamp: StampFile }).fileStamp(path);
  return typeof stamp === 'number' ? '' : stamp[0];
}
