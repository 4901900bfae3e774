// SPDX-License-Identifier: Apache-2.0
import { openSink, type LineSink } from '../logging/line-sink.ts';
import { auditLine, type AuditSink } from './audit-trail.ts';

/**
 * A file of JSON lines, taken only from where nobody else can have put it, and appended to. What the disk or a slow reader does not
 * take is told in a line of its own.
 *
 * @throws os error `unable to open specified log file 'FILE': STRERROR`
 */
export function auditFile(file: string, open: (file: string, lost: (count: number) => string) => LineSink = openSink): AuditSink {
  const sink = open(file, (count) => `${JSON.stringify({ lost: count })}\n`);
  return {
    write: (entry) => {
      sink.write(auditLine(entry));
      return true;
    },
    writeLost: (count) => {
      sink.write(`${JSON.stringify({ lost: count })}\n`);
      return true;
    },
    reopen: () => sink.reopen(),
    idle: () => sink.idle(),
  };
}
