// SPDX-License-Identifier: Apache-2.0
import { INVALID_HANDLE, kernel32 } from './bindings/kernel32.ts';
import type { Out, Pointer } from './koffi.ts';
import { fileLane } from './lane.ts';

const OPEN_EXISTING = 3;
const SHARE_READ_WRITE = 3;
const ERROR_MORE_DATA = 234;

/** Opens a device for questions only, which needs no rights on its data. `undefined` where it cannot be opened. */
export async function withDevice<T>(path: string, use: (handle: Pointer) => Promise<T>): Promise<T | undefined> {
  const { result: handle } = await fileLane.run(() => kernel32.CreateFileW.async(path, 0, SHARE_READ_WRITE, null, OPEN_EXISTING, 0, null));
  if (handle === INVALID_HANDLE) return undefined;
  try {
    return await use(handle);
  } finally {
    await fileLane.run(() => kernel32.CloseHandle.async(handle));
  }
}

/** What a device answers to a control code, as much as fits into `size` bytes; `undefined` where it refuses. */
export async function control(handle: Pointer, request: number, input: Buffer | null, size: number): Promise<Buffer | undefined> {
  const output = Buffer.alloc(size);
  const returned: Out<number> = [0];
  const { result, lastError: code } = await fileLane.run(() =>
    kernel32.DeviceIoControl.async(handle, request, input, input?.length ?? 0, output, size, returned, null));
  return result === 0 && code !== ERROR_MORE_DATA ? undefined : output;
}
