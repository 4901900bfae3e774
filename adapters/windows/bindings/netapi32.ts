// SPDX-License-Identifier: Apache-2.0
import { dll, prototype } from '../dll.ts';
import type { Out, Pointer } from '../koffi.ts';
import { layout } from '../layout.ts';

/** Prototypes as in lmaccess.h and lmapibuf.h. */
export const netapi32 = dll('netapi32.dll', {
  NetApiBufferFree: prototype<(buffer: Pointer) => number>('uint32_t __stdcall NetApiBufferFree(void *buffer)'),
  NetUserGetInfo: prototype<(server: null, user: string, level: number, buffer: Out<Pointer | null>) => number>(
    'uint32_t __stdcall NetUserGetInfo(str16 server, str16 user, uint32_t level, _Out_ void **buffer)'),
  NetUserGetLocalGroups: prototype<(server: null, user: string, level: number, flags: number, buffer: Out<Pointer | null>, most: number, count: Out<number>, total: Out<number>) => number>(
    'uint32_t __stdcall NetUserGetLocalGroups(str16 server, str16 user, uint32_t level, uint32_t flags, _Out_ void **buffer, uint32_t most, _Out_ uint32_t *count, _Out_ uint32_t *total)'),
  NetUserSetInfo: prototype<(server: null, user: string, level: number, info: Buffer, parameterError: null) => number>(
    'uint32_t __stdcall NetUserSetInfo(str16 server, str16 user, uint32_t level, void *info, void *parameterError)'),
});

export const USER_INFO_1003 = layout('USER_INFO_1003', 'lm.h', 8, { usri1003_password: [0, 'pointer'] });

export const USER_INFO_1 = layout('USER_INFO_1', 'lm.h', 56, { usri1_name: [0, 'pointer'], usri1_priv: [20, 'u32'] });

export const LOCALGROUP_USERS_INFO_0 = layout('LOCALGROUP_USERS_INFO_0', 'lm.h', 8, { lgrui0_name: [0, 'pointer'] });
