// SPDX-License-Identifier: Apache-2.0
import { dll, prototype } from '../dll.ts';
import type { Out, Pointer } from '../koffi.ts';
import { layout } from '../layout.ts';

/** Prototypes as in setupapi.h and cfgmgr32.h. */
export const setupapi = dll('setupapi.dll', {
  SetupCloseInfFile: prototype<(inf: Pointer) => void>('void __stdcall SetupCloseInfFile(void *inf)'),
  SetupDiDestroyDeviceInfoList: prototype<(set: Pointer) => number>('int __stdcall SetupDiDestroyDeviceInfoList(void *set)'),
  SetupDiEnumDeviceInfo: prototype<(set: Pointer, index: number, device: Buffer) => number>(
    'int __stdcall SetupDiEnumDeviceInfo(void *set, uint32_t index, _Inout_ void *device)'),
  SetupDiEnumDeviceInterfaces: prototype<(set: Pointer, device: null, kind: Buffer, index: number, found: Buffer) => number>(
    'int __stdcall SetupDiEnumDeviceInterfaces(void *set, void *device, void *kind, uint32_t index, _Inout_ void *found)'),
  SetupDiGetClassDevsW: prototype<(kind: Buffer | null, enumerator: null, window: null, flags: number) => Pointer>(
    'void *__stdcall SetupDiGetClassDevsW(void *kind, str16 enumerator, void *window, uint32_t flags)'),
  SetupDiGetDeviceInterfaceDetailW: prototype<(set: Pointer, found: Buffer, detail: Buffer | null, length: number, needed: Out<number>, device: Buffer) => number>(
    'int __stdcall SetupDiGetDeviceInterfaceDetailW(void *set, void *found, _Inout_ void *detail, uint32_t length, _Out_ uint32_t *needed, _Inout_ void *device)'),
  SetupDiGetDevicePropertyW: prototype<(set: Pointer, device: Buffer, key: Buffer, type: Out<number>, into: Buffer | null, length: number, needed: Out<number>, flags: number) => number>(
    'int __stdcall SetupDiGetDevicePropertyW(void *set, void *device, void *key, _Out_ uint32_t *type, _Out_ void *into, uint32_t length, _Out_ uint32_t *needed, uint32_t flags)'),
  SetupDiGetDeviceRegistryPropertyW: prototype<(set: Pointer, device: Buffer, property: number, type: Out<number>, into: Buffer | null, length: number, needed: Out<number>) => number>(
    'int __stdcall SetupDiGetDeviceRegistryPropertyW(void *set, void *device, uint32_t property, _Out_ uint32_t *type, _Out_ void *into, uint32_t length, _Out_ uint32_t *needed)'),
  SetupGetInfDriverStoreLocationW: prototype<(path: string, platform: null, locale: null, into: Buffer, length: number, needed: Out<number>) => number>(
    'int __stdcall SetupGetInfDriverStoreLocationW(str16 path, void *platform, str16 locale, _Out_ void *into, uint32_t length, _Out_ uint32_t *needed)'),
  SetupGetLineTextW: prototype<(context: null, inf: Pointer, section: string, key: string, into: Buffer, length: number, needed: Out<number>) => number>(
    'int __stdcall SetupGetLineTextW(void *context, void *inf, str16 section, str16 key, _Out_ void *into, uint32_t length, _Out_ uint32_t *needed)'),
  SetupOpenInfFileW: prototype<(path: string, kind: null, style: number, line: Out<number>) => Pointer>(
    'void *__stdcall SetupOpenInfFileW(str16 path, str16 kind, uint32_t style, _Out_ uint32_t *line)'),
});

export const SP_DEVINFO_DATA = layout('SP_DEVINFO_DATA', 'setupapi.h', 32, {
  cbSize: [0, 'u32'], ClassGuid: [4, 'bytes16'], DevInst: [20, 'u32'], Reserved: [24, 'u64'],
});

export const SP_DEVICE_INTERFACE_DATA = layout('SP_DEVICE_INTERFACE_DATA', 'setupapi.h', 32, {
  cbSize: [0, 'u32'], InterfaceClassGuid: [4, 'bytes16'], Flags: [20, 'u32'], Reserved: [24, 'u64'],
});

/** `cbSize` is that of the fixed part, 8 on 64-bit Windows; the path begins at 4. */
export const SP_DEVICE_INTERFACE_DETAIL_DATA = layout('SP_DEVICE_INTERFACE_DETAIL_DATA_W', 'setupapi.h', 8, { cbSize: [0, 'u32'], DevicePath: [4, 'wide1'] });

export const DEVPROPKEY = layout('DEVPROPKEY', 'setupapi.h', 20, { fmtid: [0, 'bytes16'], pid: [16, 'u32'] });
