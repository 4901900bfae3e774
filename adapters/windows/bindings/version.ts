// SPDX-License-Identifier: Apache-2.0
import { dll, prototype } from '../dll.ts';
import type { Out, Pointer } from '../koffi.ts';
import { layout } from '../layout.ts';

/** Prototypes as in winver.h. */
export const version = dll('version.dll', {
  GetFileVersionInfoSizeW: prototype<(path: string, unused: Out<number>) => number>(
    'uint32_t __stdcall GetFileVersionInfoSizeW(str16 path, _Out_ uint32_t *unused)'),
  GetFileVersionInfoW: prototype<(path: string, unused: number, size: number, into: Buffer) => number>(
    'int __stdcall GetFileVersionInfoW(str16 path, uint32_t unused, uint32_t size, _Out_ void *into)'),
  VerQueryValueW: prototype<(block: Buffer, name: string, value: Out<Pointer | null>, length: Out<number>) => number>(
    'int __stdcall VerQueryValueW(void *block, str16 name, _Out_ void **value, _Out_ uint32_t *length)'),
});

export const VS_FIXEDFILEINFO = layout('VS_FIXEDFILEINFO', 'windows.h', 52, {
  dwSignature: [0, 'u32'], dwFileVersionMS: [8, 'u32'], dwFileVersionLS: [12, 'u32'],
});
