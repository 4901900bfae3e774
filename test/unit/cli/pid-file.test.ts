// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPidFile } from '../../../adapters/cli/pid-file.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'concierge-pid-'));
  path = join(directory, 'pid');
});

afterEach(() => rmSync(directory, { recursive: true }));

describe('a pid file', () => {
  it('has the process number and a line end, is private, and is locked before it is written', () => {
    writeFileSync(path, '123456789\n', { mode: 0o600 });
    const whenLocked: string[] = [];

    createPidFile(path, () => whenLocked.push(readFileSync(path, 'utf8')));

    expect(whenLocked).toEqual(['123456789\n']);
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it.skipIf(process.platform === 'win32')('is not written where others may have put a link or a FIFO', () => {
    const elsewhere = join(directory, 'elsewhere');
    writeFileSync(elsewhere, 'precious');
    chmodSync(directory, 0o777);
    symlinkSync('elsewhere', path);

    expect(() => createPidFile(path, undefined)).toThrow(`Could not create '${path}': ${directory} can be written by everybody: run chmod o-w on it`);
    chmodSync(directory, 0o700);
    rmSync(path);
    execFileSync('mkfifo', ['-m', '600', path]);
    expect(() => createPidFile(path, undefined)).toThrow(`Could not create '${path}': Not a regular file`);
    expect(readFileSync(elsewhere, 'utf8')).toBe('precious');
  });

  it('goes with its owner', () => {
    createPidFile(path, undefined).remove();

    expect(existsSync(path)).toBe(false);
  });

  it('stays when it is another’s by now', () => {
    const file = createPidFile(path, undefined);
    rmSync(path);
    writeFileSync(path, '1\n');

    file.remove();

    expect(readFileSync(path, 'utf8')).toBe('1\n');
  });

  it('of a running agent is left as it is, and says whose it is', () => {
    writeFileSync(path, '17\n');
    const held = (): void => {
      throw posixError('EAGAIN', { syscall: 'fcntl' });
    };

    expect(() => createPidFile(path, held)).toThrow(`Cannot lock pid file: Resource temporarily unavailable (process 17 has ${path})`);
    expect(readFileSync(path, 'utf8')).toBe('17\n');
  });

  it('in a missing directory is refused in the words of qemu-ga', () => {
    expect(() => createPidFile(join(directory, 'no', 'pid'), undefined)).toThrow(`Could not create '${directory}/no/pid': No such file or directory`);
  });
});
