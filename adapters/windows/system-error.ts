// SPDX-License-Identifier: Apache-2.0
import { AgentError, withContext } from '../../core/errors/agent-error.ts';
import { kernel32 } from './bindings/kernel32.ts';
import { lastError } from './dll.ts';
import { textOf } from './layout.ts';

/** Codes that this backend looks at, or that hosts see often, by the names of winerror.h. */
export const errorNames: Readonly<Record<number, string>> = {
  1: 'ERROR_INVALID_FUNCTION', 2: 'ERROR_FILE_NOT_FOUND', 3: 'ERROR_PATH_NOT_FOUND', 4: 'ERROR_TOO_MANY_OPEN_FILES',
  5: 'ERROR_ACCESS_DENIED', 6: 'ERROR_INVALID_HANDLE', 8: 'ERROR_NOT_ENOUGH_MEMORY', 19: 'ERROR_WRITE_PROTECT',
  21: 'ERROR_NOT_READY', 31: 'ERROR_GEN_FAILURE', 32: 'ERROR_SHARING_VIOLATION', 33: 'ERROR_LOCK_VIOLATION',
  38: 'ERROR_HANDLE_EOF', 50: 'ERROR_NOT_SUPPORTED', 53: 'ERROR_BAD_NETPATH', 67: 'ERROR_BAD_NET_NAME',
  80: 'ERROR_FILE_EXISTS', 87: 'ERROR_INVALID_PARAMETER', 109: 'ERROR_BROKEN_PIPE', 111: 'ERROR_BUFFER_OVERFLOW',
  112: 'ERROR_DISK_FULL', 120: 'ERROR_CALL_NOT_IMPLEMENTED', 122: 'ERROR_INSUFFICIENT_BUFFER', 123: 'ERROR_INVALID_NAME',
  131: 'ERROR_NEGATIVE_SEEK', 161: 'ERROR_BAD_PATHNAME', 183: 'ERROR_ALREADY_EXISTS', 193: 'ERROR_BAD_EXE_FORMAT',
  206: 'ERROR_FILENAME_EXCED_RANGE', 216: 'ERROR_EXE_MACHINE_TYPE_MISMATCH', 230: 'ERROR_BAD_PIPE', 231: 'ERROR_PIPE_BUSY', 232: 'ERROR_NO_DATA', 233: 'ERROR_PIPE_NOT_CONNECTED',
  234: 'ERROR_MORE_DATA', 258: 'WAIT_TIMEOUT', 259: 'ERROR_NO_MORE_ITEMS', 267: 'ERROR_DIRECTORY', 554: 'ERROR_CANT_WAIT', 740: 'ERROR_ELEVATION_REQUIRED',
  995: 'ERROR_OPERATION_ABORTED', 997: 'ERROR_IO_PENDING', 1060: 'ERROR_SERVICE_DOES_NOT_EXIST',
  1063: 'ERROR_FAILED_SERVICE_CONTROLLER_CONNECT', 1072: 'ERROR_SERVICE_MARKED_FOR_DELETE', 1073: 'ERROR_SERVICE_EXISTS',
  1115: 'ERROR_SHUTDOWN_IN_PROGRESS', 1117: 'ERROR_IO_DEVICE', 1167: 'ERROR_DEVICE_NOT_CONNECTED', 1168: 'ERROR_NOT_FOUND',
  1190: 'ERROR_SHUTDOWN_IS_SCHEDULED', 1300: 'ERROR_NOT_ALL_ASSIGNED', 1314: 'ERROR_PRIVILEGE_NOT_HELD', 1332: 'ERROR_NONE_MAPPED',
  1450: 'ERROR_NO_SYSTEM_RESOURCES', 2221: 'NERR_UserNotFound', 2245: 'NERR_PasswordTooShort',
};

export const errorName = (code: number): string => errorNames[code] ?? `ERROR_${code}`;

const FORMAT_MESSAGE_FROM_HMODULE = 0x800;
const FORMAT_MESSAGE_FROM_SYSTEM = 0x1000;
const FORMAT_MESSAGE_IGNORE_INSERTS = 0x200;
const LOAD_LIBRARY_AS_DATAFILE = 2;
const LOAD_LIBRARY_SEARCH_SYSTEM32 = 0x800;

/** The system's sentence for a code, in the language of the system, without its line end; the code where it has none. */
export function errorText(code: number): string {
  const text = Buffer.alloc(2048);
  // The network functions have their sentences, 2100 to 2999, in a DLL of their own.
  const network = code >= 2100 && code <= 2999 ? kernel32.LoadLibraryExW('netmsg.dll', 0n, LOAD_LIBRARY_AS_DATAFILE | LOAD_LIBRARY_SEARCH_SYSTEM32) : 0n;
  const source = network === 0n ? FORMAT_MESSAGE_FROM_SYSTEM : FORMAT_MESSAGE_FROM_HMODULE | FORMAT_MESSAGE_FROM_SYSTEM;
  const length = kernel32.FormatMessageW(source | FORMAT_MESSAGE_IGNORE_INSERTS, network, code >>> 0, 0, text, text.length / 2, null);
  if (network !== 0n) kernel32.FreeLibrary(network);
  return length === 0 ? `Windows error ${code > 0xffff || code < 0 ? hexCode(code) : code}` : textOf(text).trimEnd();
}

/** `0x8004231B` */
export const hexCode = (code: number): string => `0x${(code >>> 0).toString(16).toUpperCase().padStart(8, '0')}`;

/** The error of a Win32 code. */
export const windowsErrorOf = (code: number, at: { readonly syscall?: string; readonly path?: string } = {}): AgentError =>
  AgentError.os({ code: errorName(code), errno: code, osText: errorText(code), ...at });

/** The error of the call that failed just now on this thread. */
export const lastWindowsError = (syscall: string, path?: string): AgentError =>
  windowsErrorOf(lastError(), { syscall, ...(path === undefined ? {} : { path }) });

/** Throws `TEXT: MESSAGE` for a code other than 0. */
export function demandSuccess(code: number, text: string): void {
  if (code !== 0) throw withContext(text, windowsErrorOf(code));
}
