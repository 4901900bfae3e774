// SPDX-License-Identifier: Apache-2.0
import { withContext } from '../../core/errors/agent-error.ts';
import { INVALID_HANDLE, kernel32 } from './bindings/kernel32.ts';
import type { Out } from './koffi.ts';
import { textOf, textsOf } from './layout.ts';
import { lastWindowsError } from './system-error.ts';

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

/** The volumes that this system knows, in its own order. @throws failed error `failed to find any volume: MESSAGE` */
export function volumes(): Volume[] {
  const name = Buffer.alloc(520);
  const search = kernel32.FindFirstVolumeW(name, name.length / 2);
  if (search === INVALID_HANDLE) throw withContext('failed to find any volume', lastWindowsError('FindFirstVolume'));
  try {
    const found = [volumeOf(textOf(name))];
    while (kernel32.FindNextVolumeW(search, name, name.length / 2) !== 0) found.push(volumeOf(textOf(name)));
    const failure = lastWindowsError('FindNextVolume');
    if (failure.os?.errno !== ERROR_NO_MORE_FILES) throw withContext('failed to find next volume', failure);
    return found;
  } finally {
    kernel32.FindVolumeClose(search);
  }
}

function volumeOf(name: string): Volume {
  const paths = pathsOf(name);
  return { name, paths, driveType: kernel32.GetDriveTypeW(paths[0] ?? name) };
}

function pathsOf(name: string): readonly string[] {
  const needed: Out<number> = [0];
  for (let length = 1024; ; length = needed[0]) {
    const names = Buffer.alloc(length * 2);
    if (kernel32.GetVolumePathNamesForVolumeNameW(name, names, length, needed) !== 0) return textsOf(names.subarray(0, needed[0] * 2));
    if (needed[0] <= length) return [];
  }
}
