// SPDX-License-Identifier: Apache-2.0
import { dll, prototype } from '../dll.ts';
import type { Out, Pointer } from '../koffi.ts';
import { layout } from '../layout.ts';

/** Prototypes as in powrprof.h and powerbase.h. */
export const powrprof = dll('powrprof.dll', {
  GetPwrCapabilities: prototype<(capabilities: Buffer) => number>('uint8_t __stdcall GetPwrCapabilities(_Out_ void *capabilities)'),
  PowerRegisterSuspendResumeNotification: prototype<(flags: number, recipient: Pointer, registered: Out<Pointer | null>) => number>(
    'uint32_t __stdcall PowerRegisterSuspendResumeNotification(uint32_t flags, void *recipient, _Out_ void **registered)'),
  SetSuspendState: prototype<(hibernate: number, force: number, noWakeEvents: number) => number>(
    'uint8_t __stdcall SetSuspendState(uint8_t hibernate, uint8_t force, uint8_t noWakeEvents)'),
});

export const SYSTEM_POWER_CAPABILITIES = layout('SYSTEM_POWER_CAPABILITIES', 'windows.h', 76, {
  SystemS1: [3, 'u8'], SystemS3: [5, 'u8'], SystemS4: [6, 'u8'], HiberFilePresent: [8, 'u8'],
});

export const DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS = layout('DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS', 'windows.h', 16, {
  Callback: [0, 'pointer'], Context: [8, 'pointer'],
});
