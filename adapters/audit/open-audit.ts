// SPDX-License-Identifier: Apache-2.0
import { AgentError, messageOf } from '../../core/errors/agent-error.ts';
import type { SendDatagram } from '../logging/syslog.ts';
import { auditFile } from './audit-file.ts';
import { auditJournal } from './audit-journal.ts';
import { AuditTrail, type AuditSink } from './audit-trail.ts';

export interface OpenAuditOptions {
  /** A path, or `journald`. */
  readonly where: string;
  readonly ident: string;
  /** Absent where the system has no such thing. */
  readonly send: SendDatagram | undefined;
  /** File systems are frozen: nothing is opened before they are thawed. */
  readonly held: boolean;
  readonly warn: (line: string) => void;
}

/** @throws failed error where it cannot be used from the start */
export function openAudit({ where, ident, send, held, warn }: OpenAuditOptions): AuditTrail {
  if (where === 'journald') {
    if (send === undefined) throw AgentError.failed('audit=journald: there is no journald on this system, or no native addon to reach it with');
    return new AuditTrail(auditJournal(send, ident), held);
  }
  return new AuditTrail(held ? openedLater(() => auditFile(where), warn) : auditFile(where), held);
}

function openedLater(open: () => AuditSink, warn: (line: string) => void): AuditSink {
  let sink: AuditSink | undefined;
  let failed = false;
  const opened = (): AuditSink | undefined => {
    try {
      if (!failed) sink ??= open();
    } catch (error) {
      failed = true;
      warn(`nothing is recorded by the audit: ${messageOf(error)}`);
    }
    return sink;
  };
  return {
    write: (entry) => opened()?.write(entry) ?? false,
    writeLost: (count) => opened()?.writeLost(count) ?? false,
    reopen: () => {
      failed = false;
      return opened()?.reopen?.();
    },
    idle: () => sink?.idle() ?? Promise.resolve(),
  };
}
