// SPDX-License-Identifier: Apache-2.0
import type { Log, LogLine } from '../../../core/ports/index.ts';

/** A log whose lines a test can look at. */
export interface RecordedLog extends Log {
  readonly lines: string[];
}

export function silentLog(): RecordedLog {
  const lines: string[] = [];
  const record = (level: string) => (line: LogLine) => {
    lines.push(`${level}: ${typeof line === 'string' ? line : line()}`);
  };
  return {
    lines,
    error: record('error'),
    warning: record('warning'),
    info: record('info'),
    debug: record('debug'),
    account: record('account'),
    hold: async () => {},
    release: () => {},
  };
}
