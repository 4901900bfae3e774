// SPDX-License-Identifier: Apache-2.0
import { AgentError, withContext } from '../../core/errors/agent-error.ts';
import type { Power, ShutdownMode, SuspendMode } from '../../core/ports/power.ts';
import { advapi32 } from './bindings/advapi32.ts';
import { powrprof, SYSTEM_POWER_CAPABILITIES } from './bindings/powrprof.ts';
import { readFields } from './layout.ts';
import { enablePrivilege } from './privileges.ts';
import { windowsErrorOf } from './system-error.ts';

/** SHTDN_REASON_MAJOR_SYSTEM | SHTDN_REASON_FLAG_PLANNED: what the event log says of the reason. */
const reason = 0x8005_0000;

const message = 'The host has asked this virtual machine to shut down.';

export interface WindowsPowerOptions {
  /** Told about a suspension that the system refused after the order was taken. */
  readonly onLateFailure?: (sentence: string) => void;
}

/** Turning off and sleeping, by the calls that a program without a desktop may make. */
export const windowsPower = ({ onLateFailure = () => {} }: WindowsPowerOptions = {}): Power => ({
  shutdown: {
    async shutdown(mode: ShutdownMode) {
      enablePrivilege('SeShutdownPrivilege');
      // Applications are ended without being asked (qemu-ga 10.2). Windows turns the power off after every shutdown:
      // `halt` is a powerdown. The call goes to winlogon through RPC: not on this thread.
      const { result, lastError: code } = await advapi32.InitiateSystemShutdownExW.async(null, message, 0, 1, mode === 'reboot' ? 1 : 0, reason);
      if (result === 0) throw shutdownFailure(code);
    },
  },
  suspend: {
    modes: new Set<SuspendMode>(['disk', 'ram']),
    async suspend(mode) {
      const capabilities = Buffer.alloc(SYSTEM_POWER_CAPABILITIES.size);
      if (powrprof.GetPwrCapabilities(capabilities) === 0) throw AgentError.failed('failed to determine guest suspend capabilities');
      const able = readFields(SYSTEM_POWER_CAPABILITIES, capabilities);
      if (mode === 'disk' && able.SystemS4 === 0) throw AgentError.failed('suspend-to-disk not supported by OS');
      // SetSuspendState would only fail once the order counts as taken.
      if (mode === 'disk' && able.HiberFilePresent === 0) throw AgentError.failed('suspend-to-disk not supported by OS: hibernation is switched off (powercfg /hibernate on)');
      if (mode !== 'disk' && able.SystemS3 === 0) throw AgentError.failed('suspend-to-ram not supported by OS');
      enablePrivilege('SeShutdownPrivilege');
      // It returns after the resume: the order counts as taken once the call is on its thread.
      powrprof.SetSuspendState.async(mode === 'disk' ? 1 : 0, 1, 1).then(
        ({ result, lastError: code }) => {
          if (result === 0) onLateFailure(withContext('failed to suspend guest', windowsErrorOf(code)).message);
        },
        (error: unknown) => onLateFailure(`failed to suspend guest: ${String(error)}`),
      );
    },
  },
});

const shutdownFailure = (code: number): AgentError => withContext('guest-shutdown failed', windowsErrorOf(code));
