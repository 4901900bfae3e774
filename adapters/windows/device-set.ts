// SPDX-License-Identifier: Apache-2.0
import { withContext } from '../../core/errors/agent-error.ts';
import {
  setupapi, SP_DEVICE_INTERFACE_DATA, SP_DEVICE_INTERFACE_DETAIL_DATA, SP_DEVINFO_DATA,
} from './bindings/setupapi.ts';
import { INVALID_HANDLE } from './bindings/kernel32.ts';
import type { Out, Pointer } from './koffi.ts';
import { readFields, structure, textOf, textsOf } from './layout.ts';
import { lastWindowsError } from './system-error.ts';

const DIGCF_PRESENT = 2;
const DIGCF_ALLCLASSES = 4;
const DIGCF_DEVICEINTERFACE = 0x10;

/** A device through one of its interfaces: its node, and the path to open it by. */
export interface DeviceInterface {
  readonly path: string;
  /** DEVINST. */
  readonly node: number;
}

/**
 * Goes through the devices that are there, of one interface class or all; `pick` answers `undefined` for those that are
 * of no use.
 */
export function devicesOf<T>(interfaceClass: Buffer | undefined, pick: (set: Pointer, device: Buffer) => T | undefined): T[] {
  const set = setupapi.SetupDiGetClassDevsW(interfaceClass ?? null, null, null, DIGCF_PRESENT | (interfaceClass === undefined ? DIGCF_ALLCLASSES : DIGCF_DEVICEINTERFACE));
  if (set === INVALID_HANDLE) throw withContext('failed to get device tree', lastWindowsError('SetupDiGetClassDevs'));
  try {
    const picked: T[] = [];
    const device = structure(SP_DEVINFO_DATA, { cbSize: SP_DEVINFO_DATA.size });
    for (let index = 0; setupapi.SetupDiEnumDeviceInfo(set, index, device) !== 0; index += 1) {
      const value = pick(set, device);
      if (value !== undefined) picked.push(value);
    }
    return picked;
  } finally {
    setupapi.SetupDiDestroyDeviceInfoList(set);
  }
}

/** The interfaces of a class that are there, in the system's order. */
export function deviceInterfaces(interfaceClass: Buffer): DeviceInterface[] {
  const set = setupapi.SetupDiGetClassDevsW(interfaceClass, null, null, DIGCF_PRESENT | DIGCF_DEVICEINTERFACE);
  if (set === INVALID_HANDLE) throw withContext('failed to get device tree', lastWindowsError('SetupDiGetClassDevs'));
  try {
    const found: DeviceInterface[] = [];
    const data = structure(SP_DEVICE_INTERFACE_DATA, { cbSize: SP_DEVICE_INTERFACE_DATA.size });
    for (let index = 0; setupapi.SetupDiEnumDeviceInterfaces(set, null, interfaceClass, index, data) !== 0; index += 1) {
      const device = structure(SP_DEVINFO_DATA, { cbSize: SP_DEVINFO_DATA.size });
      const needed: Out<number> = [0];
      setupapi.SetupDiGetDeviceInterfaceDetailW(set, data, null, 0, needed, device);
      const detail = Buffer.alloc(Math.max(needed[0], SP_DEVICE_INTERFACE_DETAIL_DATA.size));
      detail.writeUInt32LE(SP_DEVICE_INTERFACE_DETAIL_DATA.size, 0);
      // One that went away meanwhile is left out.
      if (setupapi.SetupDiGetDeviceInterfaceDetailW(set, data, detail, detail.length, needed, device) === 0) continue;
      found.push({ path: textOf(detail.subarray(SP_DEVICE_INTERFACE_DETAIL_DATA.fields.DevicePath[0])), node: readFields(SP_DEVINFO_DATA, device).DevInst });
    }
    return found;
  } finally {
    setupapi.SetupDiDestroyDeviceInfoList(set);
  }
}

/** A property of kind REG_MULTI_SZ or REG_SZ; none where it is missing. */
export function registryTexts(set: Pointer, device: Buffer, property: number): readonly string[] {
  const size: Out<number> = [0];
  const into = Buffer.alloc(8192);
  const found = setupapi.SetupDiGetDeviceRegistryPropertyW(set, device, property, [0], into, into.length, size);
  return found === 0 ? [] : textsOf(into.subarray(0, size[0]));
}
