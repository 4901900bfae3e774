// SPDX-License-Identifier: Apache-2.0
import { kernel32 } from '../../adapters/windows/bindings/kernel32.ts';
import { dll, prototype } from '../../adapters/windows/dll.ts';
import { layout, readFields, structure } from '../../adapters/windows/layout.ts';

const toolhelp = dll('kernel32.dll', {
  CreateToolhelp32Snapshot: prototype<(flags: number, process: number) => bigint>('void *__stdcall CreateToolhelp32Snapshot(uint32_t flags, uint32_t process)'),
  Thread32First: prototype<(snapshot: bigint, entry: Buffer) => number>('int __stdcall Thread32First(void *snapshot, _Inout_ void *entry)'),
  Thread32Next: prototype<(snapshot: bigint, entry: Buffer) => number>('int __stdcall Thread32Next(void *snapshot, _Inout_ void *entry)'),
});

/** Of tlhelp32.h. */
const THREADENTRY32 = layout('THREADENTRY32', 'tlhelp32.h', 28, { dwSize: [0, 'u32'], th32OwnerProcessID: [12, 'u32'] });
const TH32CS_SNAPTHREAD = 4;

/** How many threads this process has. */
export function threadsOfProcess(): number {
  const snapshot = toolhelp.CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
  const entry = structure(THREADENTRY32, { dwSize: THREADENTRY32.size });
  let count = 0;
  for (let more = toolhelp.Thread32First(snapshot, entry); more !== 0; more = toolhelp.Thread32Next(snapshot, entry)) {
    if (readFields(THREADENTRY32, entry).th32OwnerProcessID === process.pid) count += 1;
  }
  kernel32.CloseHandle(snapshot);
  return count;
}
