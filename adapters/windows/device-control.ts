// SPDX-License-Identifier: Apache-2.0
import { INVALID_HANDLE, kernel32 } from './bindings/kernel32.ts';
import type { Called } from './dll.ts';
import type { Out, Pointer } from './koffi.ts';
import { fileLane } from './lane.ts';
import { windowsErrorOf } from './system-error.ts';

const OPEN_EXISTING = 3;
const SHARE_READ_WRITE = 3;
const ERROR_MORE_DATA = 234;

/** How a device is opened: by default for questions only, which need no rights on its data. */
export interface DeviceAccess {
  readonly access?: number;
  readonly share?: number;
  readonly flags?: number;
}

/** The one way to a device. A driver that hangs holds up a thread of the pool and nothing else. */
const open = (path: string, { access = 0, share = SHARE_READ_WRITE, flags = 0 }: DeviceAccess = {}): Promise<Called<Pointer>> =>
  kernel32.CreateFileW.async(path, access, share, null, OPEN_EXISTING, flags, null);

/** Answers an open handle. Waits for no disk: a channel must come although all of them hang. @throws os error */
export async function openDevice(path: string, wanted: DeviceAccess): Promise<Pointer> {
  const { result: handle, lastError: code } = await open(path, wanted);
  if (handle === INVALID_HANDLE) throw windowsErrorOf(code, { syscall: 'CreateFile', path });
  return handle;
}

/** Opens a device of the disks, among all that is asked of these. `undefined` where it cannot be opened. */
export async function withDevice<T>(path: string, use: (handle: Pointer) => Promise<T>): Promise<T | undefined> {
  const { result: handle } = await fileLane.run(() => open(path));
  if (handle === INVALID_HANDLE) return undefined;
  try {
    return await use(handle);
  } finally {
    await fileLane.run(() => kernel32.CloseHandle.async(handle));
  }
}

/** What a device answers to a control code, as much as fits into `size` bytes. @throws os error where it refuses */
export async function askDevice(handle: Pointer, request: number, input: Buffer | null, size: number): Promise<Buffer> {
  const { output, failed } = await asked(handle, request, input, size);
  if (failed !== undefined) throw windowsErrorOf(failed, { syscall: 'DeviceIoControl' });
  return output;
}

/** The same of a device of the disks; `undefined` where it refuses. */
export async function control(handle: Pointer, request: number, input: Buffer | null, size: number): Promise<Buffer | undefined> {
  const { output, failed } = await fileLane.run(() => asked(handle, request, input, size));
  return failed === undefined ? output : undefined;
}

async function asked(handle: Pointer, request: number, input: Buffer | null, size: number): Promise<{ readonly output: Buffer; readonly failed: number | undefined }> {
  const output = Buffer.alloc(size);
  const returned: Out<number> = [0];
  const { result, lastError: code } = await kernel32.DeviceIoControl.async(handle, request, input, input?.length ?? 0, output, size, returned, null);
  return { output, failed: result === 0 && code !== ERROR_MORE_DATA ? code : undefined };
}
