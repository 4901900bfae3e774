// SPDX-License-Identifier: Apache-2.0
import { SECURITY_DESCRIPTOR, SELF_RELATIVE } from '../bindings/advapi32.ts';
import { ole32 } from '../bindings/ole32.ts';
import { keepAlive, koffi } from '../koffi.ts';
import { readFields, structure } from '../layout.ts';
import { withSecuritySync } from '../private-files.ts';
import { vssError } from './codes.ts';

const COINIT_MULTITHREADED = 0;
const RPC_C_AUTHN_LEVEL_PKT_PRIVACY = 6;
const RPC_C_IMP_LEVEL_IDENTIFY = 2;
const RPC_E_TOO_LATE = 0x8001_0119 | 0;
const RPC_E_CHANGED_MODE = 0x8001_0106 | 0;

let joined = false;

/**
 * All COM work is done in the multithreaded apartment of the process. This thread joins it, once and for good, and the
 * threads of libuv's pool are in it from then on, because a thread that has joined none belongs to it where there is one.
 * So every call may be made on any of them, and none needs a message loop.
 */
export function joinApartment(): void {
  if (joined) return;
  const code = ole32.CoInitializeEx(null, COINIT_MULTITHREADED);
  if (code < 0 && code !== RPC_E_CHANGED_MODE) throw vssError('failed to initialize COM', code);
  // Writers call back with their metadata: nobody may read it on the way. It can be said once in a process.
  const security = initializeSecurity();
  if (security === RPC_E_TOO_LATE) tooLate = true;
  else if (security < 0) throw vssError('failed to initialize the security of COM', security);
  joined = true;
}

let tooLate = false;

/** A sentence where something in this process had set the security of COM before: then callers are admitted by its rules. */
export const comSecurityProblem = (): string | undefined =>
  tooLate ? 'the security of COM was set before in this process, so that it admits other callers than SYSTEM, administrators and services' : undefined;

/** SYSTEM, Administrators, NetworkService and LocalService, as which writers run: to call, on this machine. */
const callers = 'O:BAG:BAD:(A;;0x3;;;SY)(A;;0x3;;;BA)(A;;0x3;;;NS)(A;;0x3;;;LS)';
const SE_SELF_RELATIVE = 0x8000;

/** COM wants the list in the form with addresses. */
function initializeSecurity(): number {
  return withSecuritySync(callers, (_attributes, relative) => {
    const parts = Buffer.from(koffi().view(relative, SELF_RELATIVE.size));
    const { Control, Owner, Group, Dacl } = readFields(SELF_RELATIVE, parts);
    const absolute = structure(SECURITY_DESCRIPTOR, {
      Revision: 1, Control: Control & ~SE_SELF_RELATIVE, Owner: relative + BigInt(Owner), Group: relative + BigInt(Group), Dacl: relative + BigInt(Dacl),
    });
    const code = ole32.CoInitializeSecurity(absolute, -1, null, null, RPC_C_AUTHN_LEVEL_PKT_PRIVACY, RPC_C_IMP_LEVEL_IDENTIFY, null, 0, null);
    keepAlive(absolute);
    return code;
  });
}
