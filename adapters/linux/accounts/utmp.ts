// SPDX-License-Identifier: Apache-2.0
import type { UserSession } from '../../../core/ports/index.ts';
import { textFromBytes } from '../text.ts';

/** How glibc lays out `struct utmpx` on an architecture. */
export interface UtmpLayout {
  readonly size: number;
  readonly secondsAt: number;
  /** Of seconds and microseconds, in bytes. */
  readonly width: 4 | 8;
  readonly littleEndian: boolean;
}

/**
 * Most 64-bit architectures keep the 32-bit times of their 32-bit kin, 64-bit ARM and LoongArch have none (glibc's
 * bits/wordsize.h, `__WORDSIZE_TIME64_COMPAT32`).
 */
export const utmpLayout = (architecture: string, littleEndian = true): UtmpLayout =>
  architecture === 'arm64' || architecture === 'loong64'
    ? { size: 400, secondsAt: 344, width: 8, littleEndian }
    : { size: 384, secondsAt: 340, width: 4, littleEndian };

/** `ut_type` of somebody who is logged in. */
const userProcess = 7;
const userAt = 44;
const userLength = 32;

/** The sessions in a utmp(5) file, in file order. What is left of a record that was cut is passed over. */
export function parseUtmp(file: Uint8Array, layout: UtmpLayout): UserSession[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const { littleEndian, secondsAt, size, width } = layout;
  const number = (offset: number): number =>
    width === 4 ? view.getInt32(offset, littleEndian) : Number(view.getBigInt64(offset, littleEndian));
  const sessions: UserSession[] = [];
  for (let start = 0; start + size <= file.length; start += size) {
    if (view.getInt16(start, littleEndian) !== userProcess) continue;
    const name = file.subarray(start + userAt, start + userAt + userLength);
    const end = name.indexOf(0);
    const user = textFromBytes(end < 0 ? name : name.subarray(0, end));
    if (user === '') continue;
    sessions.push({ user, loginTime: number(start + secondsAt) + number(start + secondsAt + width) / 1e6 });
  }
  return sessions;
}
