// SPDX-License-Identifier: Apache-2.0
import type { DeviceDriver } from '../../core/ports/host.ts';
import { DEVPROPKEY, setupapi } from './bindings/setupapi.ts';
import { devicesOf, registryTexts } from './device-set.ts';
import { fromFileTime } from './file-time.ts';
import { guidBytes } from './guid.ts';
import type { Out, Pointer } from './koffi.ts';
import { structure, textOf } from './layout.ts';

const SPDRP_HARDWAREID = 1;

/** Property keys of devpkey.h. */
const key = (format: string, id: number): Buffer => structure(DEVPROPKEY, { fmtid: guidBytes(format), pid: id });
const DEVPKEY_NAME = key('b725f130-47ef-101a-a5f1-02608c9eebac', 10);
const DEVPKEY_Device_DriverDate = key('a8b865dd-2e3d-4094-ad97-e593a70c75d6', 2);
const DEVPKEY_Device_DriverVersion = key('a8b865dd-2e3d-4094-ad97-e593a70c75d6', 3);

/** Red Hat's two PCI vendors: virtio, and QEMU's own devices. The reference misses device ids with C to F in them. */
const paravirtual = /^PCI\\VEN_(1AF4|1B36)&DEV_([0-9A-F]{4})(?:&|$)/i;

/** Drivers of the paravirtual devices that are there; without a version or a date a driver is none (qemu-ga 10.2). */
export function deviceDrivers(): DeviceDriver[] {
  return devicesOf(undefined, (set, device) => {
    const id = registryTexts(set, device, SPDRP_HARDWAREID).map((text) => paravirtual.exec(text)).find((match) => match !== null);
    if (id === undefined) return undefined;
    const name = property(set, device, DEVPKEY_NAME);
    const version = property(set, device, DEVPKEY_Device_DriverVersion);
    const date = property(set, device, DEVPKEY_Device_DriverDate);
    if (name === undefined || version === undefined || date === undefined || date.length < 8) return undefined;
    return {
      driverName: textOf(name),
      driverDate: fromFileTime(date.readBigUInt64LE(0)),
      driverVersion: textOf(version),
      pciId: { vendorId: Number.parseInt(id[1] ?? '', 16), deviceId: Number.parseInt(id[2] ?? '', 16) },
    };
  });
}

function property(set: Pointer, device: Buffer, which: Buffer): Buffer | undefined {
  const type: Out<number> = [0];
  const size: Out<number> = [0];
  const into = Buffer.alloc(2048);
  const found = setupapi.SetupDiGetDevicePropertyW(set, device, which, type, into, into.length, size, 0);
  return found === 0 ? undefined : into.subarray(0, size[0]);
}
