// SPDX-License-Identifier: Apache-2.0
import { dll, prototype } from '../dll.ts';
import { layout } from '../layout.ts';

export const ntdll = dll('ntdll.dll', {
  RtlGetVersion: prototype<(version: Buffer) => number>('int32_t __stdcall RtlGetVersion(_Inout_ void *version)'),
});

export const OSVERSIONINFOEX = layout('OSVERSIONINFOEXW', 'windows.h', 284, {
  dwOSVersionInfoSize: [0, 'u32'], dwMajorVersion: [4, 'u32'], dwMinorVersion: [8, 'u32'], dwBuildNumber: [12, 'u32'], wProductType: [282, 'u8'],
});
