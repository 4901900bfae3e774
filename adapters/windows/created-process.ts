// SPDX-License-Identifier: Apache-2.0
import type { ProcessEnd } from '../../core/ports/process-end.ts';
import { kernel32, PROCESS_INFORMATION, STARTUPINFOEXW } from './bindings/kernel32.ts';
import { keepAlive, koffi, type Out, type Pointer } from './koffi.ts';
import { fileLane } from './lane.ts';
import { readFields, structure, wide } from './layout.ts';
import { lastWindowsError, windowsErrorOf } from './system-error.ts';

const CREATE_SUSPENDED = 4;
const CREATE_UNICODE_ENVIRONMENT = 0x400;
const CREATE_NO_WINDOW = 0x0800_0000;
const EXTENDED_STARTUPINFO_PRESENT = 0x0008_0000;
const STARTF_USESHOWWINDOW = 1;
const STARTF_USESTDHANDLES = 0x100;
const PROC_THREAD_ATTRIBUTE_HANDLE_LIST = 0x0002_0002;

export interface ProcessToCreate {
  readonly application: string;
  readonly commandLine: string;
  /** As CreateProcess wants it; absent: that of the agent. */
  readonly environment?: Buffer;
  /** Absent: that of the agent. */
  readonly directory?: string;
  readonly input: Pointer;
  readonly output: Pointer;
  readonly errors: Pointer;
}

export interface CreatedProcess {
  readonly pid: number;
  /** To be closed. */
  readonly process: Pointer;
  /** The job of its tree; `undefined` where the system gave none. To be closed; closing it ends nothing. */
  readonly job: Pointer | undefined;
}

/**
 * Starts a program that lives on when the agent ends (what Node starts is in a job that ends with it), with three handles of
 * ours and no other, and in a job from its first instruction on, so that a tree can be ended as one.
 *
 * @throws os error of CreateProcess
 */
export async function createProcess({ application, commandLine, environment, directory, input, output, errors }: ProcessToCreate): Promise<CreatedProcess> {
  const list = handleList([...new Set([input, output, errors])]);
  try {
    const startup = structure(STARTUPINFOEXW, {
      'StartupInfo.cb': STARTUPINFOEXW.size,
      'StartupInfo.dwFlags': STARTF_USESTDHANDLES | STARTF_USESHOWWINDOW,
      'StartupInfo.wShowWindow': 0,
      'StartupInfo.hStdInput': input,
      'StartupInfo.hStdOutput': output,
      'StartupInfo.hStdError': errors,
      lpAttributeList: koffi().address(list.attributes),
    });
    const information = Buffer.alloc(PROCESS_INFORMATION.size);
    const flags = CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT | CREATE_NO_WINDOW | EXTENDED_STARTUPINFO_PRESENT;
    // On another thread: what looks into programs before they run may take its time.
    const { result, lastError: code } = await fileLane.run(() => kernel32.CreateProcessW.async(
      application, wide(commandLine), null, null, 1, flags, environment ?? null, directory ?? null, startup, information));
    if (result === 0) throw windowsErrorOf(code, { syscall: 'CreateProcess', path: application });
    const { hProcess, hThread, dwProcessId } = readFields(PROCESS_INFORMATION, information);
    const job = jobOf(hProcess);
    kernel32.ResumeThread(hThread);
    kernel32.CloseHandle(hThread);
    return { pid: dwProcessId, process: hProcess, job };
  } finally {
    kernel32.DeleteProcThreadAttributeList(list.attributes);
    keepAlive(list);
  }
}

/** The only handles that the child takes over. Its memory must live until the list is deleted. */
function handleList(handles: readonly Pointer[]): { readonly attributes: Buffer; readonly values: Buffer } {
  const values = Buffer.alloc(handles.length * 8);
  handles.forEach((handle, index) => values.writeBigUInt64LE(handle, index * 8));
  const size = Buffer.alloc(8);
  kernel32.InitializeProcThreadAttributeList(null, 1, 0, size);
  const attributes = Buffer.alloc(Number(size.readBigUInt64LE()));
  if (kernel32.InitializeProcThreadAttributeList(attributes, 1, 0, size) === 0) throw lastWindowsError('InitializeProcThreadAttributeList');
  if (kernel32.UpdateProcThreadAttribute(attributes, 0, BigInt(PROC_THREAD_ATTRIBUTE_HANDLE_LIST), values, values.length, null, null) === 0) {
    throw lastWindowsError('UpdateProcThreadAttribute');
  }
  return { attributes, values };
}

function jobOf(process: Pointer): Pointer | undefined {
  const job = kernel32.CreateJobObjectW(null, null);
  if (job === 0n) return undefined;
  if (kernel32.AssignProcessToJobObject(job, process) !== 0) return job;
  kernel32.CloseHandle(job);
  return undefined;
}

export const STILL_ACTIVE = 259;

/** The exit code of a process; `STILL_ACTIVE` while it runs. */
export function exitCodeOf(process: Pointer): number {
  const code: Out<number> = [1];
  kernel32.GetExitCodeProcess(process, code);
  return code[0];
}

/** From 0xC0000000 up it is the NTSTATUS of what ended the process; both as signed numbers, as the reference has them. */
export const processEnd = (code: number): ProcessEnd => (code >>> 0 >= 0xc000_0000 ? { signal: code | 0 } : { exitCode: code | 0 });
