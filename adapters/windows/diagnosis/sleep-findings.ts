// SPDX-License-Identifier: Apache-2.0
import { good, warning } from '../../../core/diagnosis/finding.ts';
import type { Finding } from '../../../core/ports/diagnosis.ts';
import { powrprof, SYSTEM_POWER_CAPABILITIES } from '../bindings/powrprof.ts';
import { readFields } from '../layout.ts';

/** Which ways to sleep the machine has; hosts that never send it to sleep need none. */
export function sleepFindings(): readonly Finding[] {
  const subject = 'guest-suspend';
  const capabilities = Buffer.alloc(SYSTEM_POWER_CAPABILITIES.size);
  if (powrprof.GetPwrCapabilities(capabilities) === 0) return [warning(subject, 'the system does not tell what it can')];
  const { SystemS3: ram, SystemS4: disk, HiberFilePresent: file } = readFields(SYSTEM_POWER_CAPABILITIES, capabilities);
  const modes = [...(ram === 0 ? [] : ['ram']), ...(disk === 0 || file === 0 ? [] : ['disk'])];
  const off = disk !== 0 && file === 0 ? '; disk is switched off (powercfg /hibernate on)' : '';
  return [good(subject, `${modes.length === 0 ? 'the machine has no way to sleep' : `the machine knows ${modes.join(' and ')}`}${off}`)];
}
