// SPDX-License-Identifier: Apache-2.0
import { AgentError, withContext } from '../../core/errors/agent-error.ts';
import { advapi32, TOKEN_PRIVILEGES } from './bindings/advapi32.ts';
import { kernel32 } from './bindings/kernel32.ts';
import { lastError } from './dll.ts';
import type { Out, Pointer } from './koffi.ts';
import { structure } from './layout.ts';
import { lastWindowsError, windowsErrorOf } from './system-error.ts';

const TOKEN_ADJUST_PRIVILEGES = 0x20;
const TOKEN_QUERY = 0x8;
const SE_PRIVILEGE_ENABLED = 2;
const TokenElevation = 20;

export type Privilege = 'SeShutdownPrivilege' | 'SeSystemtimePrivilege';

/**
 * Switches on a privilege that this process has and that is off by default. It stays on.
 *
 * @throws failed error `unable to acquire requested privilege: MESSAGE`: the agent must run as LocalSystem or elevated
 */
export function enablePrivilege(name: Privilege): void {
  const token = processToken(TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY);
  try {
    const luid = Buffer.alloc(8);
    if (advapi32.LookupPrivilegeValueW(null, name, luid) === 0) throw withContext('no luid for requested privilege', lastWindowsError('LookupPrivilegeValue'));
    const wanted = structure(TOKEN_PRIVILEGES, { PrivilegeCount: 1, 'Privileges[0].Luid': luid, 'Privileges[0].Attributes': SE_PRIVILEGE_ENABLED });
    const called = advapi32.AdjustTokenPrivileges(token, 0, wanted, 0, null, null);
    // It succeeds although the token lacks the privilege; the last error tells (ERROR_NOT_ALL_ASSIGNED).
    const code = lastError();
    if (called === 0 || code !== 0) {
      throw AgentError.failed(`${withContext('unable to acquire requested privilege', windowsErrorOf(code)).message} (${name}; the agent must run as a service or elevated)`);
    }
  } finally {
    kernel32.CloseHandle(token);
  }
}

/** Whether this process runs with an administrator's full rights. */
export function isElevated(): boolean {
  const token = processToken(TOKEN_QUERY);
  try {
    const elevation = Buffer.alloc(4);
    return advapi32.GetTokenInformation(token, TokenElevation, elevation, 4, [0]) !== 0 && elevation.readUInt32LE(0) !== 0;
  } finally {
    kernel32.CloseHandle(token);
  }
}

/** To be closed. @throws failed error */
export function processToken(access: number): Pointer {
  const token: Out<Pointer | null> = [null];
  if (advapi32.OpenProcessToken(kernel32.GetCurrentProcess(), access, token) === 0 || token[0] === null) {
    throw withContext('failed to open privilege token', lastWindowsError('OpenProcessToken'));
  }
  return token[0];
}
