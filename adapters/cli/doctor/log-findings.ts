// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';

import { bad, good } from '../../../core/diagnosis/finding.ts';
import type { Finding } from '../../../core/ports/index.ts';
import { refusalAsLog } from '../../logging/line-sink.ts';

/** Whether the agent would write its audit to the file, for which the same holds; nothing where it has none. */
export function auditFindings(audit: string | undefined): readonly Finding[] {
  if (audit === undefined || audit === 'journald') return [];
  const file = resolve(audit);
  const refusal = refusalAsLog(file);
  return [refusal === undefined ? good('audit', file) : bad('audit', `the file '${file}' cannot be written to: ${refusal}`, 'choose another one with audit, or journald')];
}

/** Whether the agent would take the file as its log; nothing where it has none. */
export function logFindings(logfile: string | undefined): readonly Finding[] {
  if (logfile === undefined) return [];
  const file = resolve(logfile);
  const refusal = refusalAsLog(file);
  return [refusal === undefined ? good('log file', file) : bad('log file', `unable to open specified log file '${file}': ${refusal}`, 'choose another one with logfile, or none: the log goes to standard error then')];
}
