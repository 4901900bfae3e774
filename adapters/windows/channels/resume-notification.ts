// SPDX-License-Identifier: Apache-2.0
import { DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS, powrprof } from '../bindings/powrprof.ts';
import { findExport } from '../exports.ts';
import { koffi } from '../koffi.ts';
import { structure } from '../layout.ts';
import type { DeviceWatch } from './device-notification.ts';

const DEVICE_NOTIFY_CALLBACK = 2;
const PBT_APMRESUMEAUTOMATIC = 0x12;

const listeners = new Set<() => void>();
let registered = false;

/** Hears when the machine goes on after a sleep. Nothing is heard where the system cannot tell. */
export function watchResume(resumed: () => void): DeviceWatch {
  if (!registered) register();
  registered = true;
  // One of its own, so that the same function may be given twice.
  const listener = (): void => resumed();
  listeners.add(listener);
  return { close: () => void listeners.delete(listener) };
}

/** Once for the life of the process: a callback that is given back may be on its way. */
function register(): void {
  if (findExport('powrprof.dll', 'PowerRegisterSuspendResumeNotification') === undefined) return;
  const k = koffi();
  // DEVICE_NOTIFY_CALLBACK_ROUTINE of powrprof.h: context, type, setting.
  const callback = k.register((_context: unknown, type: number) => {
    if (type === PBT_APMRESUMEAUTOMATIC) for (const listener of listeners) listener();
    return 0;
  }, k.pointer(k.proto(null, 'uint32_t', ['void *', 'uint32_t', 'void *'])));
  const parameters = k.alloc('uint8_t', DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS.size);
  new Uint8Array(k.view(parameters, DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS.size)).set(structure(DEVICE_NOTIFY_SUBSCRIBE_PARAMETERS, { Callback: callback }));
  powrprof.PowerRegisterSuspendResumeNotification(DEVICE_NOTIFY_CALLBACK, parameters, [null]);
}
