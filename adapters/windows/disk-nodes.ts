// SPDX-License-Identifier: Apache-2.0
import { IOCTL_STORAGE_GET_DEVICE_NUMBER, STORAGE_DEVICE_NUMBER } from './bindings/storage.ts';
import { control, withDevice } from './device-control.ts';
import { deviceInterfaces } from './device-set.ts';
import { guidBytes } from './guid.ts';
import { readFields } from './layout.ts';

const GUID_DEVINTERFACE_DISK = guidBytes('53f56307-b6bf-11d0-94f2-00a0c91efb8b');

/** Disks by the number in their name `\\.\PhysicalDriveN`, with their device node. */
export type DiskNodes = ReadonlyMap<number, number>;

/** Asks every disk for its number; one that does not answer is left out. */
export async function diskNodes(): Promise<DiskNodes> {
  const found = new Map<number, number>();
  for (const { path, node } of deviceInterfaces(GUID_DEVINTERFACE_DISK)) {
    const answer = await withDevice(path, (handle) => control(handle, IOCTL_STORAGE_GET_DEVICE_NUMBER, null, STORAGE_DEVICE_NUMBER.size));
    if (answer !== undefined) found.set(readFields(STORAGE_DEVICE_NUMBER, answer).DeviceNumber, node);
  }
  return found;
}
