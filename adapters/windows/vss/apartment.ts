// SPDX-License-Identifier: Apache-2.0
import { ole32 } from '../bindings/ole32.ts';
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
  const security = ole32.CoInitializeSecurity(null, -1, null, null, RPC_C_AUTHN_LEVEL_PKT_PRIVACY, RPC_C_IMP_LEVEL_IDENTIFY, null, 0, null);
  if (security < 0 && security !== RPC_E_TOO_LATE) throw vssError('failed to initialize the security of COM', security);
  joined = true;
}
