// SPDX-License-Identifier: Apache-2.0
import { AgentError, withContext } from '../../core/errors/agent-error.ts';
import type { Accounts, UserSession } from '../../core/ports/accounts.ts';
import { netapi32, USER_INFO_1003 } from './bindings/netapi32.ts';
import { WTS_SESSION_INFO, WTSINFO, wtsapi32, WTSSessionInfo } from './bindings/wtsapi32.ts';
import { computerName } from './computer-name.ts';
import { fromFileTime } from './file-time.ts';
import { copyOf, keepAlive, koffi, type Out, type Pointer } from './koffi.ts';
import { readFields, structure, wide } from './layout.ts';
import { windowsSshKeys } from './ssh-keys.ts';
import { windowsErrorOf } from './system-error.ts';

export const windowsAccounts: Accounts = {
  sessions: {
    async list() {
      const sessions: Out<Pointer | null> = [null];
      const count: Out<number> = [0];
      // Nobody to list them is nobody logged in (qemu-ga 10.2). The call goes to the terminal service through RPC.
      const { result } = await wtsapi32.WTSEnumerateSessionsW.async(null, 0, 1, sessions, count);
      if (result === 0 || sessions[0] === null) return [];
      const memory = copyOf(sessions[0], count[0] * WTS_SESSION_INFO.size);
      wtsapi32.WTSFreeMemory(sessions[0]);
      const found: UserSession[] = [];
      for (let index = 0; index < count[0]; index += 1) {
        const session = await sessionOf(readFields(WTS_SESSION_INFO, memory, index * WTS_SESSION_INFO.size).SessionId);
        if (session !== undefined) found.push(session);
      }
      return found;
    },
  },
  passwords: {
    async set(user, password, crypted) {
      if (crypted) throw AgentError.failed("'crypted' must be off on this host");
      const name = nameOnThisMachine(user);
      const memory = wide(passwordText(password));
      const info = structure(USER_INFO_1003, { usri1003_password: koffi().address(memory) });
      const { result } = await netapi32.NetUserSetInfo.async(null, name, 1003, info, null);
      memory.fill(0);
      keepAlive(memory, info);
      if (result !== 0) throw withContext('failed to set password', windowsErrorOf(result, { syscall: 'NetUserSetInfo' }));
    },
  },
  sshKeys: windowsSshKeys,
};

/** A session that ends while it is asked about, and the ones without a user, are none. */
async function sessionOf(id: number): Promise<UserSession | undefined> {
  const buffer: Out<Pointer | null> = [null];
  const bytes: Out<number> = [0];
  const { result } = await wtsapi32.WTSQuerySessionInformationW.async(null, id, WTSSessionInfo, buffer, bytes);
  if (result === 0 || buffer[0] === null) return undefined;
  const info = bytes[0] < WTSINFO.size ? undefined : readFields(WTSINFO, copyOf(buffer[0], WTSINFO.size));
  wtsapi32.WTSFreeMemory(buffer[0]);
  if (info === undefined || info.UserName === '') return undefined;
  return {
    user: info.UserName,
    ...(info.Domain === '' ? {} : { domain: info.Domain }),
    loginTime: Number(fromFileTime(info['LogonTime.QuadPart']) / 1000n) / 1e6,
  };
}

/**
 * `bob` of `bob`, `.\\bob` and `MACHINE\\bob`. The call knows users of this machine alone (of the domain, where this is its
 * controller), by their bare names: it would say of all others that they do not exist.
 */
function nameOnThisMachine(user: string): string {
  const at = user.lastIndexOf('\\');
  const domain = at < 0 ? /@(.*)$/s.exec(user)?.[1] : user.slice(0, at);
  if (domain === undefined) return user;
  if (domain === '.' || domain.toUpperCase() === computerName().toUpperCase()) return user.slice(at + 1);
  throw AgentError.failed(`failed to set password: '${user}' is a user of '${domain}', and this machine keeps the passwords of its own users only`);
}

function passwordText(password: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(password);
  } catch (error) {
    throw AgentError.failed("can't convert 'password' to UTF-16: it is not UTF-8", error);
  }
}
