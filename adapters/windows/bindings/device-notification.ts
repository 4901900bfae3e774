// SPDX-License-Identifier: Apache-2.0
import { dll, prototype } from '../dll.ts';
import type { Out, Pointer } from '../koffi.ts';
import { layout } from '../layout.ts';

/** Prototypes as in cfgmgr32.h, since Windows 8. */
export const deviceNotification = dll('cfgmgr32.dll', {
  CM_Register_Notification: prototype<(filter: Buffer, context: null, callback: Pointer, registered: Out<Pointer | null>) => number>(
    'uint32_t __stdcall CM_Register_Notification(void *filter, void *context, void *callback, _Out_ void **registered)'),
  CM_Unregister_Notification: prototype<(registered: Pointer) => number>('uint32_t __stdcall CM_Unregister_Notification(void *registered)'),
});

export const CM_NOTIFY_FILTER = layout('CM_NOTIFY_FILTER', 'cfgmgr32.h', 416, {
  cbSize: [0, 'u32'], Flags: [4, 'u32'], FilterType: [8, 'u32'], 'u.DeviceInterface.ClassGuid': [16, 'bytes16'], 'u.DeviceHandle.hTarget': [16, 'pointer'],
});

export const CM_NOTIFY_EVENT_DATA = layout('CM_NOTIFY_EVENT_DATA', 'cfgmgr32.h', 36, {
  FilterType: [0, 'u32'], 'u.DeviceInterface.ClassGuid': [8, 'bytes16'], 'u.DeviceHandle.EventGuid': [8, 'bytes16'],
});

/** CM_NOTIFY_FILTER_TYPE. */
export const filterTypes = { deviceInterface: 0, deviceHandle: 1 } as const;

/** CM_NOTIFY_ACTION. */
export const actions = {
  interfaceArrival: 0, interfaceRemoval: 1, queryRemove: 2, queryRemoveFailed: 3, removePending: 4, removeComplete: 5, customEvent: 6,
} as const;
