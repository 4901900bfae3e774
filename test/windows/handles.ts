// SPDX-License-Identifier: Apache-2.0
import { kernel32 } from '../../adapters/windows/bindings/kernel32.ts';
import { dll, prototype } from '../../adapters/windows/dll.ts';
import type { Out } from '../../adapters/windows/koffi.ts';

const processes = dll('kernel32.dll', {
  GetProcessHandleCount: prototype<(process: bigint, count: Out<number>) => number>('int __stdcall GetProcessHandleCount(void *process, _Out_ uint32_t *count)'),
});

/** How many handles this process has open. */
export function handlesOfProcess(): number {
  const count: Out<number> = [0];
  processes.GetProcessHandleCount(kernel32.GetCurrentProcess(), count);
  return count[0];
}
