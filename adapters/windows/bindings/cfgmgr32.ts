// SPDX-License-Identifier: Apache-2.0
import { dll, prototype } from '../dll.ts';
import type { Out } from '../koffi.ts';

/** Prototypes as in cfgmgr32.h. */
export const cfgmgr32 = dll('cfgmgr32.dll', {
  CM_Get_DevNode_Registry_PropertyW: prototype<(device: number, property: number, type: Out<number>, into: Buffer | null, size: Out<number>, flags: number) => number>(
    'uint32_t __stdcall CM_Get_DevNode_Registry_PropertyW(uint32_t device, uint32_t property, _Out_ uint32_t *type, _Out_ void *into, _Inout_ uint32_t *size, uint32_t flags)'),
  CM_Get_Parent: prototype<(parent: Out<number>, device: number, flags: number) => number>(
    'uint32_t __stdcall CM_Get_Parent(_Out_ uint32_t *parent, uint32_t device, uint32_t flags)'),
});
