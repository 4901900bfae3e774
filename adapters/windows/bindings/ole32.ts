// SPDX-License-Identifier: Apache-2.0
import { dll, prototype } from '../dll.ts';
import type { Pointer } from '../koffi.ts';

/** Prototypes as in combaseapi.h, objbase.h and oleauto.h. */
export const ole32 = dll('ole32.dll', {
  CoInitializeEx: prototype<(reserved: null, model: number) => number>('int32_t __stdcall CoInitializeEx(void *reserved, uint32_t model)'),
  CoInitializeSecurity: prototype<(descriptor: Buffer, count: number, services: null, reserved1: null, authentication: number, impersonation: number, list: null, capabilities: number, reserved3: null) => number>(
    'int32_t __stdcall CoInitializeSecurity(void *descriptor, int32_t count, void *services, void *reserved1, uint32_t authentication, uint32_t impersonation, void *list, uint32_t capabilities, void *reserved3)'),
});

export const oleaut32 = dll('oleaut32.dll', {
  SysFreeString: prototype<(text: Pointer) => void>('void __stdcall SysFreeString(void *text)'),
});
