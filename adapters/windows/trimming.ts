// SPDX-License-Identifier: Apache-2.0
import { messageOf } from '../../core/errors/agent-error.ts';
import type { Trimming, TrimOutcome } from '../../core/ports/file-system.ts';
import { runProgram, systemProgram } from './program.ts';
import { DRIVE_FIXED, volumes } from './volumes.ts';

/** A large thin disk takes minutes. */
const limitMs = 60 * 60_000;

/**
 * Retrims through defrag.exe, the one program that does so on every edition and asks the volume's own driver. It ends
 * with 0 even when it failed; its report is in the language of the system, but for the error's code: `(0x8900002A)`.
 * IOCTL_STORAGE_MANAGE_DATA_SET_ATTRIBUTES would be no way round it: it trims ranges of the disk that the caller names,
 * and what is free of a mounted volume when it is asked may hold data when it is trimmed.
 */
export const windowsTrimming = (program = systemProgram('defrag.exe')): Trimming => ({
  async trim() {
    const outcomes: TrimOutcome[] = [];
    // One after the other: several volumes often lie on one disk.
    for (const { paths, driveType } of await volumes()) {
      const [path] = paths;
      if (path !== undefined && driveType === DRIVE_FIXED) outcomes.push({ path, ...(await trimOne(program, path)) });
    }
    return outcomes;
  },
});

async function trimOne(program: string, path: string): Promise<{ readonly error?: string }> {
  try {
    const { code, output } = await runProgram(program, [path, '/L'], limitMs);
    if (code === undefined) return { error: `failed to trim: defrag did not end within ${limitMs / 60_000} minutes` };
    const error = errorIn(output) ?? (code === 0 ? undefined : `failed to trim: defrag ended with 0x${(code >>> 0).toString(16)}: ${output.trim()}`);
    return error === undefined ? {} : { error };
  } catch (error) {
    return { error: messageOf(error) };
  }
}

/** The line of defrag's report that has the code of an error. */
export const errorIn = (report: string): string | undefined =>
  report.split(/[\r\n]+/).map((line) => line.trim()).find((line) => line.includes('(0x'));
