// SPDX-License-Identifier: Apache-2.0
import { actions, CM_NOTIFY_EVENT_DATA, CM_NOTIFY_FILTER, deviceNotification, filterTypes } from '../bindings/device-notification.ts';
import { findExport } from '../exports.ts';
import { guidBytes, guidText } from '../guid.ts';
import { copyOf, koffi, type KoffiType, type Out, type Pointer } from '../koffi.ts';
import { readFields, structure } from '../layout.ts';

/** GUID_DEVINTERFACE_COMPORT of ntddser.h, and GUID_VIOSERIAL_PORT of the public header of virtio-win's driver (vioserial/sys/public.h). */
export const portClasses = {
  'isa-serial': '{86E0D1E0-8089-11D0-9CE4-08003E301F73}',
  'virtio-serial': '{6FDE7521-1B65-48AE-B628-80BE62016026}',
} as const;

/** The channels that are a serial device. */
export type SerialMethod = keyof typeof portClasses;

/** GUID_VIOSERIAL_PORT_CHANGE_STATUS of the same header: a host has connected to the port, or has gone. */
const portChangeStatus = '{2C0F39AC-B156-4237-9C64-8991A18BF35C}';

/** A registration for what happens to devices. */
export interface DeviceWatch {
  /** Nothing is heard afterwards. Never waits. */
  close(): void;
}

/**
 * Hears of devices of a class that arrive. `undefined` where the system cannot tell (before Windows 8, Wine); then time
 * is what helps.
 */
export const watchClass = (interfaceClass: string, arrived: () => void): DeviceWatch | undefined =>
  register({ FilterType: filterTypes.deviceInterface, 'u.DeviceInterface.ClassGuid': guidBytes(interfaceClass) }, (action) => {
    if (action === actions.interfaceArrival) arrived();
  });

export interface DeviceEvents {
  /** The device is to go, or has gone. A handle that is still open after this call would keep it. */
  readonly removed: () => void;
  /** A host has come to a port of virtio-serial, or has left it. */
  readonly hostChanged: () => void;
}

/** Hears of the device behind a handle; `undefined` as above. */
export const watchDevice = (handle: Pointer, { removed, hostChanged }: DeviceEvents): DeviceWatch | undefined =>
  register({ FilterType: filterTypes.deviceHandle, 'u.DeviceHandle.hTarget': handle }, (action, data) => {
    if (action === actions.queryRemove || action === actions.removePending || action === actions.removeComplete) removed();
    else if (action === actions.customEvent && eventOf(data) === portChangeStatus) hostChanged();
  });

const eventOf = (data: Pointer): string =>
  guidText(readFields(CM_NOTIFY_EVENT_DATA, copyOf(data, CM_NOTIFY_EVENT_DATA.size))['u.DeviceHandle.EventGuid']);

let callbackType: KoffiType | undefined;

type Filter = Parameters<typeof structure<(typeof CM_NOTIFY_FILTER)['fields']>>[1];

/** The system calls on a thread of its own, which waits for this one: what is done in `heard` is done when it goes on. */
function register(filter: Filter, heard: (action: number, data: Pointer) => void): DeviceWatch | undefined {
  if (findExport('cfgmgr32.dll', 'CM_Register_Notification') === undefined) return undefined;
  const k = koffi();
  // PCM_NOTIFY_CALLBACK: registration, context, action, event, its size.
  callbackType ??= k.pointer(k.proto(null, 'uint32_t', ['void *', 'void *', 'int', 'void *', 'uint32_t']));
  let closed = false;
  const callback = k.register((_registration: unknown, _context: unknown, action: number, data: Pointer) => {
    if (!closed) heard(action, data);
    return 0;
  }, callbackType);
  const registered: Out<Pointer | null> = [null];
  const code = deviceNotification.CM_Register_Notification(structure(CM_NOTIFY_FILTER, { ...filter, cbSize: CM_NOTIFY_FILTER.size }), null, callback, registered);
  const registration = registered[0];
  if (code !== 0 || registration === null) {
    k.unregister(callback);
    return undefined;
  }
  return {
    close: () => {
      if (closed) return;
      closed = true;
      // It waits for callbacks that are under way, which wait for this thread: by another one, and never inside of one.
      void deviceNotification.CM_Unregister_Notification.async(registration).finally(() => k.unregister(callback));
    },
  };
}
