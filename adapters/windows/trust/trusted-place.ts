// SPDX-License-Identifier: Apache-2.0
import { win32 } from 'node:path';

import { AgentError } from '../../../core/errors/agent-error.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';
import { untrusted, type PlaceGuard } from '../../shared/trust/place-guard.ts';
import { advapi32 } from '../bindings/advapi32.ts';
import { BY_HANDLE_FILE_INFORMATION, INVALID_HANDLE, kernel32 } from '../bindings/kernel32.ts';
import { lastError } from '../dll.ts';
import { keepAlive, koffi, type Out, type Pointer } from '../koffi.ts';
import { readFields } from '../layout.ts';
import { isElevated, processToken } from '../privileges.ts';
import { withSecuritySync } from '../private-files.ts';
import { lastWindowsError, windowsErrorOf } from '../system-error.ts';
import { whyDistrusted, type Role } from './rule.ts';
import { accessOf, sidText } from './security-descriptor.ts';

const GENERIC_READ = 0x8000_0000;
const READ_CONTROL = 0x2_0000;
const FILE_READ_ATTRIBUTES = 0x80;
const FILE_SHARE_READ = 1;
const FILE_SHARE_WRITE = 2;
const OPEN_EXISTING = 3;
const FILE_FLAG_BACKUP_SEMANTICS = 0x0200_0000;
const FILE_FLAG_OPEN_REPARSE_POINT = 0x0020_0000;
const FILE_ATTRIBUTE_DIRECTORY = 0x10;
const FILE_ATTRIBUTE_REPARSE_POINT = 0x400;
const OWNER_SECURITY_INFORMATION = 1;
const DACL_SECURITY_INFORMATION = 4;
const ERROR_FILE_NOT_FOUND = 2;
const ERROR_PATH_NOT_FOUND = 3;
const ERROR_ALREADY_EXISTS = 183;
const TOKEN_QUERY = 8;
const TokenUser = 1;

/** For SYSTEM and administrators, also what will lie in it. */
const folderRights = 'D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)';

let agent: string | undefined;

/** The user that this process runs as. */
export function agentUser(): string {
  agent ??= ownSid();
  return agent;
}

function ownSid(): string {
  const token = processToken(TOKEN_QUERY);
  try {
    const user = Buffer.alloc(256);
    if (advapi32.GetTokenInformation(token, TokenUser, user, user.length, [0]) === 0) throw lastWindowsError('GetTokenInformation');
    // TOKEN_USER begins with the address of the SID, which lies behind it.
    return sidText(user, Number(user.readBigUInt64LE() - koffi().address(user)));
  } finally {
    kernel32.CloseHandle(token);
  }
}

/** An open thing. */
interface Held {
  readonly path: string;
  readonly handle: Pointer;
  readonly attributes: number;
}

const isFolder = ({ attributes }: Held): boolean => (attributes & FILE_ATTRIBUTE_DIRECTORY) !== 0;

/**
 * Opens all on the way to a place from its drive down, so that nothing of it can be renamed or deleted meanwhile, and judges
 * each by its open handle.
 *
 * @throws os error `ENOENT`; failed error: the sentence of the rule
 */
function withJudged<T>(path: string, access: number, use: (last: Held) => T): T {
  const whole = win32.resolve(path);
  if (!/^[A-Za-z]:\\/.test(whole)) throw untrusted(`${path} is on no drive of this machine`);
  const steps = ancestors(whole);
  const held: Held[] = [];
  try {
    for (const [index, step] of steps.entries()) held.push(opened(step, index === steps.length - 1 ? access : 0));
    const last = held.at(-1) as Held;
    // A file that is there could have been put there by whoever may add to its folder.
    const first = isFolder(last) ? held.length - 1 : held.length - 2;
    for (const [index, one] of held.entries()) judge(one, index >= first ? 'itself' : 'above');
    return use(last);
  } finally {
    for (const { handle } of held) kernel32.CloseHandle(handle);
  }
}

/** `C:\`, `C:\a`, `C:\a\b`. */
function ancestors(path: string): readonly string[] {
  const above = win32.dirname(path);
  return above === path ? [path] : [...ancestors(above), path];
}

function opened(path: string, access: number): Held {
  const share = FILE_SHARE_READ | FILE_SHARE_WRITE;
  const handle = kernel32.CreateFileW(path, (access | READ_CONTROL | FILE_READ_ATTRIBUTES) >>> 0, share, null, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, null);
  if (handle === INVALID_HANDLE) {
    const code = lastError();
    throw code === ERROR_FILE_NOT_FOUND || code === ERROR_PATH_NOT_FOUND ? posixError('ENOENT', { syscall: 'open', path }) : windowsErrorOf(code, { syscall: 'CreateFile', path });
  }
  const information = Buffer.alloc(BY_HANDLE_FILE_INFORMATION.size);
  if (kernel32.GetFileInformationByHandle(handle, information) !== 0) {
    return { path, handle, attributes: readFields(BY_HANDLE_FILE_INFORMATION, information).dwFileAttributes };
  }
  const failure = lastWindowsError('GetFileInformationByHandle', path);
  kernel32.CloseHandle(handle);
  throw failure;
}

function judge({ path, handle, attributes }: Held, role: Role): void {
  if ((attributes & FILE_ATTRIBUTE_REPARSE_POINT) !== 0) throw untrusted(`${path} is a link, which is not followed`);
  const reason = whyDistrusted(accessOf(descriptorOf(handle)), role, agentUser());
  if (reason !== undefined) throw untrusted(`${path} ${reason}: give it to administrators alone (icacls "${path}" /setowner *S-1-5-32-544; icacls "${path}" /inheritance:r /grant *S-1-5-18:F *S-1-5-32-544:F)`);
}

function descriptorOf(handle: Pointer): Buffer {
  const descriptor = Buffer.alloc(65_536);
  if (advapi32.GetKernelObjectSecurity(handle, OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION, descriptor, descriptor.length, [0]) === 0) {
    throw lastWindowsError('GetKernelObjectSecurity');
  }
  return descriptor;
}

/** What of a folder has to be there for it to be judged; the ones below are made. */
function nearestThere(path: string): string {
  for (let at = win32.resolve(path); ; at = win32.dirname(at)) {
    if (kernel32.GetFileAttributesW(at) !== 0xffff_ffff || at === win32.dirname(at)) return at;
  }
}

/** The rule of this machine. Synchronous: used at the start, before there is anything to delay. */
export const windowsGuard: PlaceGuard = {
  read(path, limit) {
    return withJudged(path, GENERIC_READ, (last) => {
      if (isFolder(last)) throw AgentError.failed('Not a regular file');
      const pieces: Buffer[] = [];
      for (let length = 0; ;) {
        const piece = Buffer.alloc(65_536);
        const read: Out<number> = [0];
        if (kernel32.ReadFile(last.handle, piece, piece.length, read, null) === 0) throw lastWindowsError('ReadFile', path);
        if (read[0] === 0) return Buffer.concat(pieces);
        length += read[0];
        if (length > limit) throw AgentError.failed(`it is longer than ${limit} bytes`);
        pieces.push(piece.subarray(0, read[0]));
      }
    });
  },

  whyDistrusted(path) {
    try {
      withJudged(path, 0, () => {});
      return undefined;
    } catch (error) {
      if (AgentError.is(error)) return error.message;
      throw error;
    }
  },

  makeFolder(path) {
    const there = nearestThere(path);
    const missing = ancestors(win32.resolve(path)).filter((step) => step.length > there.length);
    const rights = isElevated() ? folderRights : `${folderRights}(A;OICI;FA;;;${agentUser()})`;
    withSecuritySync(rights, (attributes) => {
      for (const folder of missing) {
        const made = kernel32.CreateDirectoryW(folder, attributes);
        if (made === 0 && lastError() !== ERROR_ALREADY_EXISTS) throw lastWindowsError('CreateDirectory', folder);
      }
      keepAlive(attributes);
    });
    const reason = windowsGuard.whyDistrusted(path);
    if (reason !== undefined) throw untrusted(reason);
  },
};
