import { dll, prototype } from '../dll.ts';
import type { Out, Pointer } from '../koffi.ts';
import { layout } from '../layout.ts';

/** Prototypes as in cfgmgr32.h. */
export const cfgmgr32 = dll('cfgmgr32.dll', {
  CM_Get_DevNode_PropertyW: prototype<(device: number, key: Buffer, type: Out<number>, into: Buffer | null, size: Out<number>, flags: number) => number>(
    'uint32_t __stdcall CM_Get_DevNode_PropertyW(uint32_t device, void *key, _Out_ uint32_t *type, _Out_ void *into, _Inout_ uint32_t *size, uint32_t flags)'),
  CM_Get_DevNode_Registry_PropertyW: prototype<(device: number, property: number, type: Out<number>, into: Buffer | null, size: Out<number>, flags: number) => number>(
    'uint32_t __stdcall CM_Get_DevNode_Registry_PropertyW(uint32_t device, uint32_t property, _Out_ uint32_t *type, _Out_ void *into, _Inout_ uint32_t *size, uint32_t flags)'),
  CM_Get_Parent: prototype<(parent: Out<number>, device: number, flags: number) => number>(
    'uint32_t __stdcall CM_Get_Parent(_Out_ uint32_t *parent, uint32_t device, uint32_t flags)'),
  CM_Register_Notification: prototype<(filter: Buffer, context: null, callback: Pointer, handle: Out<Pointer | null>) => number>(
    'uint32_t __stdcall CM_Register_Notification(void *filter, void *context, void *callback, _Out_ void **handle)'),
  CM_Unregister_Notification: prototype<(handle: Pointer) => number>('uint32_t __stdcall CM_Unregister_Notification(void *handle)'),
});

export const CM_NOTIFY_FILTER = layout('CM_NOTIFY_FILTER', 'cfgmgr32.h', 416, {
  cbSize: [0, 'u32'], Flags: [4, 'u32'], FilterType: [8, 'u32'], Reserved: [12, 'u32'], 'u.DeviceInterface.ClassGuid': [16, 'bytes16'],
});
