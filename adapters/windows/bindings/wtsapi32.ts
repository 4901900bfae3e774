// SPDX-License-Identifier: Apache-2.0
import { dll, prototype } from '../dll.ts';
import type { Out, Pointer } from '../koffi.ts';
import { layout } from '../layout.ts';

/** Prototypes as in wtsapi32.h. */
export const wtsapi32 = dll('wtsapi32.dll', {
  WTSEnumerateSessionsW: prototype<(server: null, reserved: number, version: number, sessions: Out<Pointer | null>, count: Out<number>) => number>(
    'int __stdcall WTSEnumerateSessionsW(void *server, uint32_t reserved, uint32_t version, _Out_ void **sessions, _Out_ uint32_t *count)'),
  WTSFreeMemory: prototype<(memory: Pointer) => void>('void __stdcall WTSFreeMemory(void *memory)'),
  WTSQuerySessionInformationW: prototype<(server: null, session: number, kind: number, buffer: Out<Pointer | null>, bytes: Out<number>) => number>(
    'int __stdcall WTSQuerySessionInformationW(void *server, uint32_t session, int kind, _Out_ void **buffer, _Out_ uint32_t *bytes)'),
});

export const WTS_SESSION_INFO = layout('WTS_SESSION_INFOW', 'wtsapi32.h', 24, { SessionId: [0, 'u32'], pWinStationName: [8, 'pointer'], State: [16, 'u32'] });

/** WTS_INFO_CLASS. */
export const WTSSessionInfo = 24;

export const WTSINFO = layout('WTSINFOW', 'wtsapi32.h', 216, {
  State: [0, 'u32'], SessionId: [4, 'u32'], Domain: [96, 'wide17'], UserName: [130, 'wide21'],
  'ConnectTime.QuadPart': [176, 'i64'], 'LogonTime.QuadPart': [200, 'i64'], 'CurrentTime.QuadPart': [208, 'i64'],
});
