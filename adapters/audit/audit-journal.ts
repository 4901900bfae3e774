// SPDX-License-Identifier: Apache-2.0
import type { AuditEntry } from '../../core/ports/audit.ts';
import type { SendDatagram } from '../logging/syslog.ts';
import type { AuditSink } from './audit-trail.ts';

/** Of systemd's journal, for messages with fields. */
const socket = '/run/systemd/journal/socket';

/** Entries as fields of journald's own protocol. A journal that does not listen, or whose queue is full, loses them. */
export function auditJournal(send: SendDatagram, ident: string): AuditSink {
  const sent = (fields: Readonly<Record<string, string>>): boolean => {
    try {
      send(socket, journalMessage({ PRIORITY: '6', SYSLOG_IDENTIFIER: ident, ...fields }));
      return true;
    } catch {
      return false;
    }
  };
  return {
    write: (entry) => sent(fieldsOf(entry)),
    writeLost: (count) => sent({ PRIORITY: '4', MESSAGE: `${count} entries of the audit were lost here`, CONCIERGE_LOST: String(count) }),
    idle: () => Promise.resolve(),
  };
}

function fieldsOf({ command, channel, peer, arguments: args, withheld, rule, result, code, microseconds }: AuditEntry): Record<string, string> {
  return {
    MESSAGE: `${command} by ${channel}: ${result}${code === undefined ? '' : ` (${code})`}${rule === undefined ? '' : `, rule ${rule}`}`,
    CONCIERGE_COMMAND: command,
    CONCIERGE_CHANNEL: channel,
    ...(peer !== undefined && Object.fromEntries(Object.entries(peer).map(([name, value]) => [`CONCIERGE_PEER_${name.toUpperCase()}`, String(value)]))),
    CONCIERGE_RESULT: result,
    CONCIERGE_MICROSECONDS: String(microseconds),
    ...(args !== undefined && { CONCIERGE_ARGUMENTS: JSON.stringify(args) }),
    ...(withheld !== undefined && { CONCIERGE_WITHHELD: withheld.join(',') }),
    ...(rule !== undefined && { CONCIERGE_RULE: rule }),
    ...(code !== undefined && { CONCIERGE_CODE: code }),
  };
}

/** `NAME=VALUE`, or with a line feed in it the name, the length as 64 bits (little endian), and the value. */
export function journalMessage(fields: Readonly<Record<string, string>>): Buffer {
  const pieces = Object.entries(fields).map(([name, value]) => {
    if (!value.includes('\n')) return Buffer.from(`${name}=${value}\n`);
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(bytes.length));
    return Buffer.concat([Buffer.from(`${name}\n`), length, bytes, Buffer.from('\n')]);
  });
  return Buffer.concat(pieces);
}
