// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { basename, dirname } from 'node:path';

import { AgentError } from '../../core/errors/agent-error.ts';
import { advapi32 } from './bindings/advapi32.ts';
import { INVALID_HANDLE, kernel32, SECURITY_ATTRIBUTES } from './bindings/kernel32.ts';
import { keepAlive, type Out, type Pointer } from './koffi.ts';
import { structure } from './layout.ts';
import { fileLane } from './lane.ts';
import { lastWindowsError, windowsErrorOf } from './system-error.ts';

const GENERIC_READ = 0x8000_0000;
const GENERIC_WRITE = 0x4000_0000;
const CREATE_NEW = 1;
const OPEN_EXISTING = 3;
const FILE_FLAG_BACKUP_SEMANTICS = 0x0200_0000;
const FILE_FLAG_OPEN_REPARSE_POINT = 0x0020_0000;
const FILE_ATTRIBUTE_REPARSE_POINT = 0x400;
const INVALID_FILE_ATTRIBUTES = 0xffff_ffff;
const MOVEFILE_REPLACE_EXISTING = 1;
const MOVEFILE_WRITE_THROUGH = 8;
const ERROR_ALREADY_EXISTS = 183;
const SHARE_ALL = 7;
const SHARE_READ_WRITE = 3;

/** Whether a file or folder is a symbolic link or junction. One that is not there is none. */
async function isReparsePoint(path: string): Promise<boolean> {
  const { result } = await fileLane.run(() => kernel32.GetFileAttributesW.async(path));
  return result !== INVALID_FILE_ATTRIBUTES && (result & FILE_ATTRIBUTE_REPARSE_POINT) !== 0;
}

/** @throws os error; `EFBIG`-like failed error past `limit` bytes */
export async function readSmallFile(path: string, limit: number): Promise<Buffer> {
  const handle = await open(path, GENERIC_READ, OPEN_EXISTING, null);
  try {
    const bytes = Buffer.alloc(64 * 1024);
    const pieces: Buffer[] = [];
    for (let total = 0; total <= limit;) {
      const read: Out<number> = [0];
      const { result, lastError: code } = await fileLane.run(() => kernel32.ReadFile.async(handle, bytes, bytes.length, read, null));
      if (result === 0) throw windowsErrorOf(code, { syscall: 'ReadFile', path });
      if (read[0] === 0) return Buffer.concat(pieces);
      pieces.push(Buffer.from(bytes.subarray(0, read[0])));
      total += read[0];
    }
    throw AgentError.failed(`${path} is larger than ${limit} bytes`);
  } finally {
    kernel32.CloseHandle(handle);
  }
}

/** Creates a folder with these rights; one that is there keeps its own. `rights` in the words of SDDL. */
export async function createPrivateDirectory(path: string, rights: string): Promise<void> {
  await withSecurity(rights, async (attributes) => {
    const { result, lastError: code } = await fileLane.run(() => kernel32.CreateDirectoryW.async(path, attributes));
    if (result === 0 && code !== ERROR_ALREADY_EXISTS) throw windowsErrorOf(code, { syscall: 'CreateDirectory', path });
  });
}

/**
 * Replaces a file at once or not at all, with these rights and no inherited ones. Its folder may belong to somebody who
 * would like SYSTEM to write elsewhere: no link is followed there, and none can be put in its place meanwhile.
 */
export async function replacePrivateFile(path: string, bytes: Buffer, rights: string): Promise<void> {
  const folder = await heldFolder(path);
  // A new one, whose name nobody knows: what is there already may be a link, or another's with a right to write.
  const temporary = `${path}.${randomBytes(8).toString('hex')}.new`;
  try {
    await withSecurity(rights, async (attributes) => {
      const handle = await open(temporary, GENERIC_WRITE, CREATE_NEW, attributes);
      try {
        if (finalPath(handle) !== `${finalPath(folder)}\\${basename(temporary)}`) throw linkError(path);
        const written: Out<number> = [0];
        const { result, lastError: code } = await fileLane.run(() => kernel32.WriteFile.async(handle, bytes, bytes.length, written, null));
        if (result === 0 || written[0] !== bytes.length) throw windowsErrorOf(code, { syscall: 'WriteFile', path });
        await fileLane.run(() => kernel32.FlushFileBuffers.async(handle));
      } finally {
        kernel32.CloseHandle(handle);
      }
    });
    const { result, lastError: code } = await fileLane.run(() => kernel32.MoveFileExW.async(temporary, path, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH));
    if (result === 0) throw windowsErrorOf(code, { syscall: 'MoveFileEx', path });
  } catch (error) {
    kernel32.DeleteFileW(temporary);
    throw error;
  } finally {
    kernel32.CloseHandle(folder);
  }
}

/** Opens the folder of a file, which can be neither renamed nor deleted as long as it is open. @throws failed error for a link */
async function heldFolder(file: string): Promise<Pointer> {
  const path = dirname(file);
  const { result: handle, lastError: code } = await fileLane.run(() =>
    kernel32.CreateFileW.async(path, GENERIC_READ, SHARE_READ_WRITE, null, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, null));
  if (handle === INVALID_HANDLE) throw windowsErrorOf(code, { syscall: 'CreateFile', path });
  if (!(await isReparsePoint(path))) return handle;
  kernel32.CloseHandle(handle);
  throw linkError(file);
}

const linkError = (file: string): AgentError => AgentError.failed(`failed to write to '${file}': '${dirname(file)}' is a link, which is not followed`);

/** Where an open file really lies, all links resolved. @throws os error */
function finalPath(handle: Pointer): string {
  const path = Buffer.alloc(65_536);
  const length = kernel32.GetFinalPathNameByHandleW(handle, path, path.length / 2, 0);
  if (length === 0 || length >= path.length / 2) throw lastWindowsError('GetFinalPathNameByHandle');
  return path.toString('utf16le', 0, length * 2);
}

async function open(path: string, access: number, disposition: number, attributes: Buffer | null): Promise<Pointer> {
  const { result, lastError: code } = await fileLane.run(() =>
    kernel32.CreateFileW.async(path, access, SHARE_ALL, attributes, disposition, FILE_FLAG_OPEN_REPARSE_POINT, null));
  if (result === INVALID_HANDLE) throw windowsErrorOf(code, { syscall: 'CreateFile', path });
  return result;
}

/** Runs with security attributes that an SDDL text describes. */
export async function withSecurity<T>(rights: string, use: (attributes: Buffer, descriptor: Pointer) => Promise<T>): Promise<T> {
  const descriptor = descriptorOf(rights);
  const attributes = attributesWith(descriptor);
  try {
    return await use(attributes, descriptor);
  } finally {
    kernel32.LocalFree(descriptor);
    keepAlive(attributes);
  }
}

/** The same for calls that are over when they return. */
export function withSecuritySync<T>(rights: string, use: (attributes: Buffer, descriptor: Pointer) => T): T {
  const descriptor = descriptorOf(rights);
  const attributes = attributesWith(descriptor);
  try {
    return use(attributes, descriptor);
  } finally {
    kernel32.LocalFree(descriptor);
    keepAlive(attributes);
  }
}

/** To be freed by LocalFree. @throws os error */
function descriptorOf(rights: string): Pointer {
  const descriptor: Out<Pointer | null> = [null];
  if (advapi32.ConvertStringSecurityDescriptorToSecurityDescriptorW(rights, 1, descriptor, null) === 0 || descriptor[0] === null) {
    throw lastWindowsError('ConvertStringSecurityDescriptorToSecurityDescriptor');
  }
  return descriptor[0];
}

const attributesWith = (descriptor: Pointer): Buffer => structure(SECURITY_ATTRIBUTES, { nLength: SECURITY_ATTRIBUTES.size, lpSecurityDescriptor: descriptor });
