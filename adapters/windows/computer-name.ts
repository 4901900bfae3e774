// SPDX-License-Identifier: Apache-2.0
import { kernel32 } from './bindings/kernel32.ts';
import type { Out } from './koffi.ts';
import { textOf } from './layout.ts';
import { lastWindowsError } from './system-error.ts';

/** The name of NetBIOS, of 15 characters at most: what hosts have been told by qemu-ga. @throws os error */
export function computerName(): string {
  const name = Buffer.alloc(512);
  const length: Out<number> = [name.length / 2];
  if (kernel32.GetComputerNameW(name, length) === 0) throw lastWindowsError('GetComputerName');
  return textOf(name);
}
