// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { LineSink } from '../../../adapters/logging/line-sink.ts';
import { plainPipeline } from '../../../adapters/logging/pipeline.ts';
import { ProcessLog, type LogOptions } from '../../../adapters/logging/process-log.ts';
import { syslog, syslogDatagram } from '../../../adapters/logging/syslog.ts';

const at = 1_750_000_000_123_456_789n;

class Lines implements LineSink {
  readonly written: string[] = [];
  write(line: string): void {
    this.written.push(line);
  }
  idle(): Promise<void> {
    return Promise.resolve();
  }
  reopen(): undefined {
    return undefined;
  }
}

function log(options: Partial<LogOptions> = {}): { readonly log: ProcessLog; readonly lines: Lines } {
  const lines = new Lines();
  return { lines, log: new ProcessLog({ verbose: false, now: () => at, open: () => lines, pipeline: async (sink) => plainPipeline(sink), ...options }) };
}

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'concierge-log-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

describe('a line of the log', () => {
  it('has the time of qemu-ga, the level and the text', async () => {
    const { log: agent, lines } = log();

    agent.error('it went wrong');
    await agent.flush();

    expect(lines.written).toEqual(['1750000000.123456: error: it went wrong\n']);
  });

  it('is one line, whatever a path or a message brings', async () => {
    const { log: agent, lines } = log();

    agent.warning('no /a\n1750000000.000000: error: forged\r\t\u001b[2J\u0085\u2028\u202e');
    await agent.flush();

    expect(lines.written).toEqual(['1750000000.123456: warning: no /a\\n1750000000.000000: error: forged\\r\\t\\x1b[2J\\x85\\u2028\\u202e\n']);
  });

  it('is cut where it is very long', async () => {
    const { log: agent, lines } = log();

    agent.error('x'.repeat(10_000));
    await agent.flush();

    expect(lines.written[0]).toMatch(/x{8192}… \(1808 more\)\n$/);
  });

  it('comes with errors and warnings only, and with everything where asked for', async () => {
    const quiet = log();
    const verbose = log({ verbose: true });

    for (const { log: agent } of [quiet, verbose]) {
      for (const level of ['error', 'warning', 'info', 'debug'] as const) agent[level](level);
      await agent.flush();
    }

    expect(quiet.lines.written.map((line) => line.split(' ')[2])).toEqual(['error\n', 'warning\n']);
    expect(verbose.lines.written.map((line) => line.split(' ')[2])).toEqual(['error\n', 'warning\n', 'info\n', 'debug\n']);
  });

  it('is not even built when its level is off', () => {
    const built = vi.fn(() => 'text');
    const { log: agent } = log();

    agent.debug(built);
    agent.info(built);

    expect(built).not.toHaveBeenCalled();
  });

  it('never throws at whoever says it', async () => {
    const { log: agent, lines } = log();

    agent.error(() => {
      throw new Error('oops');
    });
    await agent.flush();

    expect(lines.written[0]).toContain('could not be built: Error: oops');
  });
});

describe('while it is held', () => {
  it('a log writes nothing, and afterwards everything in order with its own times', async () => {
    let now = at;
    const { log: agent, lines } = log({ now: () => now });
    agent.error('before');
    await agent.hold();

    now += 1_000_000_000n;
    agent.error('during');
    now += 1_000_000_000n;
    expect(lines.written).toEqual(['1750000000.123456: error: before\n']);
    agent.release();
    agent.error('after');
    await agent.flush();

    expect(lines.written.slice(1)).toEqual(['1750000001.123456: error: during\n', '1750000002.123456: error: after\n']);
  });

  it('a log keeps the last lines within its limits and says how many it dropped', async () => {
    const { log: agent, lines } = log();
    await agent.hold();

    for (let n = 0; n < 3000; n += 1) agent.error(`line ${n}`);
    agent.release();
    await agent.flush();

    expect(lines.written).toHaveLength(1025);
    expect(lines.written[0]).toContain('warning: 1976 lines of the log were dropped here');
    expect(lines.written.at(-1)).toContain('line 2999');
  });

  it('a log keeps at most 256 KiB', async () => {
    const { log: agent, lines } = log();
    await agent.hold();

    for (let n = 0; n < 100; n += 1) agent.error('x'.repeat(8192));
    agent.release();
    await agent.flush();

    expect(lines.written).toHaveLength(33);
  });

  it('a log loads nothing', async () => {
    const pipeline = vi.fn(async (sink: LineSink) => plainPipeline(sink));
    const { log: agent } = log({ pipeline });
    await agent.hold();

    agent.error('x');
    await agent.flush();
    expect(pipeline).not.toHaveBeenCalled();
    agent.release();
    await agent.flush();

    expect(pipeline).toHaveBeenCalledOnce();
  });

  it('a log that was begun so does not open its file before the release', async () => {
    const file = join(directory(), 'log');
    const agent = new ProcessLog({ verbose: false, file, held: true });

    agent.error('early');
    expect(() => statSync(file)).toThrow('ENOENT');
    agent.release();
    await agent.flush();

    expect(readFileSync(file, 'utf8')).toMatch(/^\d+\.\d{6}: error: early\n$/);
  });
});

describe('the accounting log', () => {
  it('goes to the system whether the log is verbose or not, and waits like it', async () => {
    const account = vi.fn();
    const { log: agent, lines } = log({ account });

    await agent.hold();
    agent.account('guest-file-open called');
    expect(account).not.toHaveBeenCalled();
    agent.release();
    await agent.flush();

    expect(account).toHaveBeenCalledExactlyOnceWith('guest-file-open called', at);
    expect(lines.written).toEqual([]);
  });

  it('is information in a verbose log', async () => {
    const { log: agent, lines } = log({ verbose: true });

    agent.account('x');
    await agent.flush();

    expect(lines.written).toEqual(['1750000000.123456: info: x\n']);
  });

  it('is a datagram of facility daemon with the process number', () => {
    expect(syslogDatagram('concierge-ga', 17, 'x', new Date(2026, 0, 5, 3, 4, 5))).toBe('<30>Jan  5 03:04:05 concierge-ga[17]: x');
  });

  it('is not missed where no syslog listens', () => {
    const send = vi.fn(() => {
      throw new Error('ECONNREFUSED');
    });

    syslog(send, 'concierge-ga')('x', at);

    expect(send).toHaveBeenCalledOnce();
  });
});

describe('a log file', () => {
  it('is private, appended to by winston, and opened anew for rotation', async () => {
    const folder = directory();
    const file = join(folder, 'log');
    const agent = new ProcessLog({ verbose: false, file, now: () => at });
    agent.error('one');
    await agent.flush();

    renameSync(file, join(folder, 'log.1'));
    agent.reopen();
    agent.error('two');
    await agent.flush();

    expect(readFileSync(join(folder, 'log.1'), 'utf8')).toBe('1750000000.123456: error: one\n');
    expect(readFileSync(file, 'utf8')).toBe('1750000000.123456: error: two\n');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it.skipIf(process.platform === 'win32').each([
    ['a FIFO', (file: string) => execFileSync('mkfifo', ['-m', '600', file]), 'Not a regular file nor a terminal'],
    ['a directory', (file: string) => mkdirSync(file), 'Not a regular file nor a terminal'],
    ['a device', (file: string) => symlinkSync('/dev/null', file), 'Not a regular file nor a terminal'],
    ['a socket', (file: string) => execFileSync('python3', ['-c', `import socket; socket.socket(socket.AF_UNIX).bind('${file}')`]), 'Not a regular file nor a terminal'],
    ['a file of everybody’s', (file: string) => (writeFileSync(file, ''), chmodSync(file, 0o666)), 'can be written by everybody: run chmod o-w on it'],
  ])('is not %s: that is an error at the start, and the old file goes on at a rotation', async (_, make, reason) => {
    const file = join(directory(), 'log');
    const agent = new ProcessLog({ verbose: false, file });
    renameSync(file, `${file}.1`);
    make(file);

    agent.reopen();
    agent.warning('afterwards');
    await agent.flush();

    expect(() => new ProcessLog({ verbose: false, file })).toThrow(`unable to open specified log file '${file}': `);
    const written = readFileSync(`${file}.1`, 'utf8');
    expect(written).toContain(reason);
    expect(written).toContain('warning: afterwards');
  });

  it.skipIf(process.platform === 'win32')('is not made where another user has left a link to it', () => {
    const place = directory();
    writeFileSync(join(place, 'precious'), '');
    mkdirSync(join(place, 'shared'));
    chmodSync(join(place, 'shared'), 0o777);
    symlinkSync('../precious', join(place, 'shared/log'));

    expect(() => new ProcessLog({ verbose: false, file: join(place, 'shared/log') })).toThrow(`${place}/shared can be written by everybody`);
  });

  it.skipIf(process.platform !== 'linux')('may be a terminal, whoever’s session it is', async () => {
    const terminal = spawn('python3', ['-c', 'import os, pty, sys\nours, theirs = pty.openpty()\nprint(os.ttyname(theirs), flush=True)\nprint(os.read(ours, 999).decode(), flush=True)\nsys.stdin.read()']);
    onTestFinished(() => void terminal.kill());
    let said = '';
    terminal.stdout.setEncoding('utf8').on('data', (chunk: string) => (said += chunk));
    await expect.poll(() => said, { timeout: 20_000 }).toContain('\n');
    const file = said.trim();

    const agent = new ProcessLog({ verbose: false, file });
    agent.warning('seen');
    await agent.flush();

    await expect.poll(() => said, { timeout: 20_000 }).toContain('warning: seen');
  });

  it('that cannot be opened is an error at the start', () => {
    const folder = directory();
    const file = join(folder, 'below', 'log');
    expect(() => new ProcessLog({ verbose: false, file })).toThrow(`unable to open specified log file '${file}': No such file or directory`);
  });

  it('keeps the order of many lines and loses none', async () => {
    const file = join(directory(), 'log');
    const agent = new ProcessLog({ verbose: false, file, now: () => at });

    for (let n = 0; n < 500; n += 1) agent.error(`line ${n}`);
    await agent.hold();

    const numbers = readFileSync(file, 'utf8').trim().split('\n').map((line) => Number(line.split(' ').at(-1)));
    expect(numbers).toEqual(Array.from({ length: 500 }, (_, n) => n));
  });
});
