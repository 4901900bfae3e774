// SPDX-License-Identifier: Apache-2.0
import type { PciAddress } from '../../core/ports/file-system.ts';
import { cfgmgr32 } from './bindings/cfgmgr32.ts';
import type { Out } from './koffi.ts';
import { textOf } from './layout.ts';

/** cfgmgr32.h: CM_DRP_*. */
const CM_DRP_ENUMERATOR_NAME = 0x17;
const CM_DRP_BUSNUMBER = 0x16;
const CM_DRP_ADDRESS = 0x1d;
const CR_SUCCESS = 0;
/** A disk lies one to three steps below its controller. */
const deepest = 8;

/**
 * The PCI controller of a device node: the nearest node above it that the PCI bus driver enumerated. Its address holds
 * the slot in the upper and the function in the lower half. `undefined` where no controller is a PCI device.
 */
export function pciAddressOf(node: number): PciAddress | undefined {
  let at = node;
  for (let step = 0; step < deepest; step += 1) {
    if (textProperty(at, CM_DRP_ENUMERATOR_NAME)?.toUpperCase() === 'PCI') return addressOf(at);
    const parent: Out<number> = [0];
    if (cfgmgr32.CM_Get_Parent(parent, at, 0) !== CR_SUCCESS) return undefined;
    at = parent[0];
  }
  return undefined;
}

function addressOf(node: number): PciAddress | undefined {
  const bus = numberProperty(node, CM_DRP_BUSNUMBER);
  const address = numberProperty(node, CM_DRP_ADDRESS);
  // Windows counts the buses of a segment from its number times 256.
  return bus === undefined || address === undefined
    ? undefined
    : { domain: bus >>> 8, bus: bus & 0xff, slot: address >>> 16, function: address & 0xffff };
}

const textProperty = (node: number, property: number): string | undefined => {
  const bytes = propertyOf(node, property);
  return bytes === undefined ? undefined : textOf(bytes);
};

const numberProperty = (node: number, property: number): number | undefined => {
  const bytes = propertyOf(node, property);
  return bytes === undefined || bytes.length < 4 ? undefined : bytes.readUInt32LE(0);
};

function propertyOf(node: number, property: number): Buffer | undefined {
  const into = Buffer.alloc(512);
  const size: Out<number> = [into.length];
  return cfgmgr32.CM_Get_DevNode_Registry_PropertyW(node, property, [0], into, size, 0) === CR_SUCCESS ? into.subarray(0, size[0]) : undefined;
}
