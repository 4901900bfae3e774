// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { auditFile } from '../../../adapters/audit/audit-file.ts';
import { vsockPeers } from '../../../adapters/shared/vsock-peers.ts';
import { auditJournal, journalMessage } from '../../../adapters/audit/audit-journal.ts';
import { AuditTrail, MAX_HELD_ENTRIES, type AuditSink } from '../../../adapters/audit/audit-trail.ts';
import { openAudit } from '../../../adapters/audit/open-audit.ts';
import { ProcessLog } from '../../../adapters/logging/process-log.ts';
import type { AuditEntry } from '../../../core/ports/index.ts';

const entry = (rest: Partial<AuditEntry> = {}): AuditEntry =>
  ({ at: 1_767_225_600_123_456_789n, channel: 'virtio-serial', command: 'guest-exec', arguments: { path: '/bin/true' }, result: 'done', microseconds: 12, ...rest });

class Sink implements AuditSink {
  readonly written: unknown[] = [];
  works = true;
  write({ command }: AuditEntry): boolean {
    if (this.works) this.written.push(command);
    return this.works;
  }
  writeLost(count: number): boolean {
    if (this.works) this.written.push(count);
    return this.works;
  }
  idle(): Promise<void> {
    return Promise.resolve();
  }
}

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'concierge-audit-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

describe('the trail of the audit', () => {
  it('is held while file systems are frozen, in order, and tells how much could not wait', async () => {
    const sink = new Sink();
    const trail = new AuditTrail(sink);
    trail.record(entry({ command: 'before' }));
    await trail.hold();
    for (let count = 0; count < MAX_HELD_ENTRIES + 3; count += 1) trail.record(entry({ command: `held ${count}` }));
    expect(sink.written).toEqual(['before']);

    trail.release();

    expect(sink.written).toHaveLength(MAX_HELD_ENTRIES + 2);
    expect(sink.written.slice(0, 3)).toEqual(['before', 3, 'held 0']);
  });

  it('counts what is lost, and tells it when it can', () => {
    const sink = new Sink();
    const trail = new AuditTrail(sink);
    sink.works = false;
    for (const command of ['a', 'b']) trail.record(entry({ command }));
    sink.works = true;
    trail.record(entry({ command: 'c' }));

    expect(sink.written).toEqual([2, 'c']);
  });

  it('is held and released with the log', async () => {
    const sink = new Sink();
    const trail = new AuditTrail(sink);
    const log = new ProcessLog({ verbose: false, beside: trail, open: () => ({ write: () => undefined, idle: () => Promise.resolve(), reopen: () => undefined }) });

    await log.hold();
    trail.record(entry({ command: 'held' }));
    expect(sink.written).toEqual([]);
    log.release();

    expect(sink.written).toEqual(['held']);
  });
});

describe('a file of the audit', () => {
  it('has one JSON object on a line, mode 0600, and is opened anew', async () => {
    const file = join(directory(), 'audit');
    const trail = openAudit({ where: file, ident: 'x', send: undefined, held: false, warn: () => undefined });
    trail.record(entry({ withheld: ['arg'], rule: 'a' }));
    await trail.flush();
    renameSync(file, `${file}.1`);
    expect(trail.reopen()).toBeUndefined();
    trail.record(entry({ command: 'a\nb', result: 'failed', code: 'ENOENT' }));
    await trail.flush();

    expect(readFileSync(`${file}.1`, 'utf8')).toBe(
      '{"time":"2026-01-01T00:00:00.123456Z","channel":"virtio-serial","command":"guest-exec","arguments":{"path":"/bin/true"},"result":"done","withheld":["arg"],"rule":"a","microseconds":12}\n',
    );
    expect(readFileSync(file, 'utf8').split('\n')).toHaveLength(2);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ command: 'a\nb', code: 'ENOENT' });
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('that cannot be opened is told at the start, and where that had to wait for a thaw, then', () => {
    const where = join(directory(), 'nowhere/audit');
    const said: string[] = [];
    const options = { where, ident: 'x', send: undefined, warn: (line: string) => void said.push(line) };
    expect(() => openAudit({ ...options, held: false })).toThrow('unable to open specified log file');

    const trail = openAudit({ ...options, held: true });
    trail.record(entry());
    trail.release();
    trail.record(entry());

    expect(said).toEqual([expect.stringContaining('nothing is recorded by the audit: unable to open specified log file')]);
  });

  it('tells what its reader did not take in a line of JSON', () => {
    let told = '';
    auditFile('x', (_file, lost) => {
      told = lost(3);
      return { write: () => undefined, idle: () => Promise.resolve(), reopen: () => undefined };
    });

    expect(told).toBe('{"lost":3}\n');
  });
});

describe('the journal', () => {
  it.each([
    [{ pid: 812, uid: 0 }, ['CONCIERGE_PEER_PID=812', 'CONCIERGE_PEER_UID=0']],
    [vsockPeers([2]).peer(2, 1025), ['CONCIERGE_PEER_CID=2', 'CONCIERGE_PEER_PORT=1025']],
  ])('gets who asked: %o', (peer, fields) => {
    let sent = '';
    auditJournal((_path, bytes) => void (sent = Buffer.from(bytes).toString()), 'concierge-ga').write(entry({ peer }));

    expect(sent.split('\n').filter((line) => line.startsWith('CONCIERGE_PEER'))).toEqual(fields);
  });

  it('gets fields, each in the form that its value needs', () => {
    const sent: [string, string][] = [];
    const sink = auditJournal((path, bytes) => void sent.push([path, Buffer.from(bytes).toString()]), 'concierge-ga');

    expect(sink.write(entry({ rule: 'a', code: 'ENOENT', result: 'failed', withheld: ['arg', 'env'] }))).toBe(true);
    expect(sink.writeLost(2)).toBe(true);

    expect(sent.map(([path]) => path)).toEqual(['/run/systemd/journal/socket', '/run/systemd/journal/socket']);
    expect(sent[0]?.[1].split('\n')).toEqual([
      'PRIORITY=6', 'SYSLOG_IDENTIFIER=concierge-ga', 'MESSAGE=guest-exec by virtio-serial: failed (ENOENT), rule a', 'CONCIERGE_COMMAND=guest-exec', 'CONCIERGE_CHANNEL=virtio-serial',
      'CONCIERGE_RESULT=failed', 'CONCIERGE_MICROSECONDS=12', 'CONCIERGE_ARGUMENTS={"path":"/bin/true"}', 'CONCIERGE_WITHHELD=arg,env', 'CONCIERGE_RULE=a', 'CONCIERGE_CODE=ENOENT', '',
    ]);
    expect(journalMessage({ A: 'x\ny' })).toEqual(Buffer.from('A\n\u0003\0\0\0\0\0\0\0x\ny\n'));
  });

  it('that has stopped loses entries and nothing else', () => {
    const sent: string[] = [];
    let stopped = true;
    const trail = new AuditTrail(auditJournal((_path, bytes) => {
      if (stopped) throw new Error('ECONNREFUSED');
      sent.push(/^MESSAGE=(.*)$/m.exec(Buffer.from(bytes).toString())?.[1] ?? '');
    }, 'x'));
    trail.record(entry());
    stopped = false;
    trail.record(entry());

    expect(sent).toEqual(['1 entries of the audit were lost here', 'guest-exec by virtio-serial: done']);
  });

  it('is refused where there is none', () => {
    expect(() => openAudit({ where: 'journald', ident: 'x', send: undefined, held: false, warn: () => undefined })).toThrow('there is no journald on this system');
  });
});
