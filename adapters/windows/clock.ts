// SPDX-License-Identifier: Apache-2.0
import { AgentError, withContext } from '../../core/errors/agent-error.ts';
import type { Clock } from '../../core/ports/clock.ts';
import { after } from '../shared/unreferenced-timer.ts';
import { kernel32, SYSTEMTIME } from './bindings/kernel32.ts';
import { fromFileTime, toFileTime } from './file-time.ts';
import { enablePrivilege } from './privileges.ts';
import { runProgram, systemProgram } from './program.ts';
import { lastWindowsError, windowsErrorOf } from './system-error.ts';

const ERROR_INVALID_PARAMETER = 87;
/** w32tm only tells the service; it does not wait for an answer from the network. */
const resyncLimitMs = 60_000;

/** The clocks of this machine. Windows keeps the hardware clock itself. */
export const windowsClockWith = (w32tm: () => string): Clock => ({
  now() {
    const fileTime = Buffer.alloc(8);
    kernel32.GetSystemTimePreciseAsFileTime(fileTime);
    return fromFileTime(fileTime.readBigUInt64LE(0));
  },
  monotonic: () => process.hrtime.bigint(),
  after,
  setting: {
    // oxlint-disable-next-line require-await -- the calls don't wait; a failure is a rejection
    async set(time) {
      // A system time is one after 1601; hosts count from 1970.
      if (time < 0n) throw windowsErrorOf(ERROR_INVALID_PARAMETER, { syscall: 'SetSystemTime' });
      const fileTime = Buffer.alloc(8);
      fileTime.writeBigUInt64LE(BigInt.asUintN(64, toFileTime(time)));
      const systemTime = Buffer.alloc(SYSTEMTIME.size);
      if (kernel32.FileTimeToSystemTime(fileTime, systemTime) === 0) throw withContext('Failed to convert system time', lastWindowsError('FileTimeToSystemTime'));
      enablePrivilege('SeSystemtimePrivilege');
      if (kernel32.SetSystemTime(systemTime) === 0) throw lastWindowsError('SetSystemTime');
    },
    /** The time service sets the clock, from the host or from the network. */
    async setFromHardware() {
      const { code, output } = await runProgram(w32tm(), ['/resync', '/nowait'], resyncLimitMs);
      if (code === undefined) throw AgentError.failed(`w32tm did not end within ${resyncLimitMs / 1000} s`);
      // HRESULT of ERROR_SERVICE_NOT_ACTIVE.
      if (code >>> 0 === 0x8007_0426) throw AgentError.failed('Windows Time service not running on the guest');
      if (code !== 0) throw AgentError.failed(`w32tm failed with error (0x${(code >>> 0).toString(16)}): ${output.trim()}`);
    },
  },
});

export const windowsClock = windowsClockWith(() => systemProgram('w32tm.exe'));
