// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../core/errors/agent-error.ts';
import { posixError } from '../../core/errors/posix-errno.ts';
import type { FileAccess, OpenFile, OpenMode } from '../../core/ports/file-system.ts';
import { INVALID_HANDLE, kernel32 } from './bindings/kernel32.ts';
import { fileLane } from './lane.ts';
import { type FileKind, WindowsOpenFile } from './open-file.ts';
import { deviceIn, extendedPath, isLiteral } from './paths.ts';
import { windowsErrorOf } from './system-error.ts';

const GENERIC_READ = 0x8000_0000;
const GENERIC_WRITE = 0x4000_0000;
/** FILE_GENERIC_WRITE without FILE_WRITE_DATA: the system then writes at the end, whoever else does. */
const APPEND = 0x0012_0114;
const SHARE_ALL = 7;
const CREATE_ALWAYS = 2;
const OPEN_EXISTING = 3;
const OPEN_ALWAYS = 4;
const FILE_ATTRIBUTE_NORMAL = 0x80;
const SECURITY_SQOS_PRESENT = 0x0010_0000;
const SECURITY_IDENTIFICATION = 0x0001_0000;
const FILE_ATTRIBUTE_DIRECTORY = 0x10;
const INVALID_FILE_ATTRIBUTES = 0xffff_ffff;
const ERROR_ACCESS_DENIED = 5;
const FILE_TYPE_DISK = 1;
const FILE_TYPE_CHAR = 2;
const FILE_TYPE_PIPE = 3;
const PIPE_NOWAIT = 1;

/**
 * The files of this machine. Others may read, write, rename and delete them meanwhile: the reference lets them read only,
 * and so can't open the log file of a running service. Nothing is translated: bytes are bytes, CR LF too.
 */
export const windowsFiles: FileAccess = {
  async open(path, mode) {
    demandUnambiguous(path);
    const { result: handle, lastError: code } = await fileLane.run(() =>
      kernel32.CreateFileW.async(extendedPath(path), accessOf(mode), SHARE_ALL, null, dispositionOf(mode), attributes, null));
    if (handle === INVALID_HANDLE) {
      if (code === ERROR_ACCESS_DENIED && (await isDirectory(path))) return directory(path, mode);
      throw windowsErrorOf(code, { syscall: 'CreateFile', path });
    }
    try {
      return new WindowsOpenFile(handle, path, kindOf(handle, path), mode.write);
    } catch (error) {
      kernel32.CloseHandle(handle);
      throw error;
    }
  },
};

/** A pipe's other side may know who opened it, and not act in the name of the system. */
const attributes = FILE_ATTRIBUTE_NORMAL | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION;

/**
 * @throws failed error for what Windows takes for something else than it says: `report. ` would be `report`, and the host
 * would write into another file than the one it named; `CON.txt` is the console, which waits for somebody
 */
function demandUnambiguous(path: string): void {
  const device = deviceIn(path);
  if (device !== undefined && device !== 'NUL') throw waiting(path);
  const name = path.split(/[\\/]/).at(-1) ?? '';
  if (isLiteral(path) || !/[. ]$/.test(name) || /^\.{1,2}$/.test(name)) return;
  throw AgentError.failed(`failed to open file '${path}': Windows would leave out the dots and blanks at the end of its name`);
}

const waiting = (path: string): AgentError => AgentError.failed(`failed to open file '${path}': it is a device that waits for its other side`);

/** CreateFile says of a directory that access is denied. It can be opened for reading, and only reading it fails. */
function directory(path: string, mode: OpenMode): OpenFile {
  if (mode.write) throw posixError('EISDIR', { syscall: 'CreateFile', path });
  const refuse = (): never => {
    throw posixError('EISDIR', { syscall: 'ReadFile', path });
  };
  return { read: refuse, write: refuse, seek: refuse, flush: () => {}, close: () => Promise.resolve() };
}

async function isDirectory(path: string): Promise<boolean> {
  const { result } = await fileLane.run(() => kernel32.GetFileAttributesW.async(extendedPath(path)));
  return result !== INVALID_FILE_ATTRIBUTES && (result & FILE_ATTRIBUTE_DIRECTORY) !== 0;
}

/** Access rights of CreateFile. */
export function accessOf({ read, write, append }: OpenMode): number {
  const writing = append ? APPEND : GENERIC_WRITE;
  return ((read ? GENERIC_READ : 0) | (write ? writing : 0)) >>> 0;
}

/** What happens to a file that is there, and to one that is not. */
export function dispositionOf({ create, truncate }: OpenMode): number {
  if (truncate) return CREATE_ALWAYS;
  return create ? OPEN_ALWAYS : OPEN_EXISTING;
}

/** Devices have other names too: `\\.\Serial0`, `\\.\pipe\x`. One that would wait for somebody must not be opened. */
function kindOf(handle: bigint, path: string): FileKind {
  switch (kernel32.GetFileType(handle)) {
    case FILE_TYPE_DISK:
      return 'disk';
    case FILE_TYPE_PIPE:
      kernel32.SetNamedPipeHandleState(handle, [PIPE_NOWAIT], null, null);
      return 'pipe';
    case FILE_TYPE_CHAR:
      // The null device answers at once; a serial port or a console would wait for its other side.
      if (deviceIn(path) === 'NUL') return 'device';
      throw waiting(path);
    default:
      return 'device';
  }
}
