// SPDX-License-Identifier: Apache-2.0
import { withContext } from '../../core/errors/agent-error.ts';
import { INVALID_HANDLE, kernel32 } from './bindings/kernel32.ts';
import type { Out } from './koffi.ts';
import { fileLane } from './lane.ts';
import { textOf, textsOf } from './layout.ts';
import { windowsErrorOf } from './system-error.ts';

/** GetDriveType. */
export const DRIVE_FIXED = 3;

const ERROR_NO_MORE_FILES = 18;

export interface Volume {
  /** `\\?\Volume{GUID}\`. */
  readonly name: string;
  /** `C:\`, and folders where it is mounted too. */
  readonly paths: readonly string[];
  readonly driveType: number;
}

/**
 * The volumes that this system knows, in its own order. Asked on other threads: the mount manager behind it may take its time, and a
 * turn of the event loop was 20 to 130 ms long for it.
 *
 * @throws failed error `failed to find any volume: MESSAGE`
 */
export async function volumes(): Promise<Volume[]> {
  const name = Buffer.alloc(520);
  const { result: search, lastError: missing } = await fileLane.run(() => kernel32.FindFirstVolumeW.async(name, name.length / 2));
  if (search === INVALID_HANDLE) throw withContext('failed to find any volume', windowsErrorOf(missing, { syscall: 'FindFirstVolume' }));
  try {
    const names = [textOf(name)];
    for (;;) {
      const { result, lastError: code } = await fileLane.run(() => kernel32.FindNextVolumeW.async(search, name, name.length / 2));
      if (result === 0 && code === ERROR_NO_MORE_FILES) break;
      if (result === 0) throw withContext('failed to find next volume', windowsErrorOf(code, { syscall: 'FindNextVolume' }));
      names.push(textOf(name));
    }
    return await Promise.all(names.map(volumeOf));
  } finally {
    await fileLane.run(() => kernel32.FindVolumeClose.async(search));
  }
}

async function volumeOf(name: string): Promise<Volume> {
  const paths = await pathsOf(name);
  const { result: driveType } = await fileLane.run(() => kernel32.GetDriveTypeW.async(paths[0] ?? name));
  return { name, paths, driveType };
}

async function pathsOf(name: string): Promise<readonly string[]> {
  const needed: Out<number> = [0];
  for (let length = 1024; ; length = needed[0]) {
    const names = Buffer.alloc(length * 2);
    const { result } = await fileLane.run(() => kernel32.GetVolumePathNamesForVolumeNameW.async(name, names, length, needed));
    if (result !== 0) return textsOf(names.subarray(0, needed[0] * 2));
    if (needed[0] <= length) return [];
  }
}
