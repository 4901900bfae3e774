// SPDX-License-Identifier: Apache-2.0
import { dll, prototype } from '../dll.ts';
import type { Out } from '../koffi.ts';

export const userenv = dll('userenv.dll', {
  GetProfilesDirectoryW: prototype<(path: Buffer, length: Out<number>) => number>(
    'int __stdcall GetProfilesDirectoryW(_Out_ void *path, _Inout_ uint32_t *length)'),
});
