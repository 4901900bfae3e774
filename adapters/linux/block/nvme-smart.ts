// SPDX-License-Identifier: Apache-2.0
import type { NvmeSmart } from '../../../core/ports/index.ts';

/** Length of the log page. */
const pageLength = 512;

/**
 * Parses log page 0x02 (SMART / Health Information, NVM Express Base Specification): little endian, 128-bit counters
 * from byte 32 on. `undefined` for a page that is cut.
 */
export function parseNvmeSmart(page: Uint8Array): NvmeSmart | undefined {
  if (page.length < pageLength) return undefined;
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const counter = (index: number): bigint => {
    const offset = 32 + 16 * index;
    return view.getBigUint64(offset, true) | (view.getBigUint64(offset + 8, true) << 64n);
  };
  return {
    criticalWarning: view.getUint8(0),
    temperature: view.getUint16(1, true),
    availableSpare: view.getUint8(3),
    availableSpareThreshold: view.getUint8(4),
    percentageUsed: view.getUint8(5),
    dataUnitsRead: counter(0),
    dataUnitsWritten: counter(1),
    hostReadCommands: counter(2),
    hostWriteCommands: counter(3),
    controllerBusyTime: counter(4),
    powerCycles: counter(5),
    powerOnHours: counter(6),
    unsafeShutdowns: counter(7),
    mediaErrors: counter(8),
    numberOfErrorLogEntries: counter(9),
  };
}
