// SPDX-License-Identifier: Apache-2.0
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { dll, prototype } from '../../adapters/windows/dll.ts';

/** Where host/build.ts puts what it compiles. */
export const built = (name: string): string => join(process.env['CONCIERGE_TEST_BUILD'] ?? '', name);

const doubles = built('doubles.dll');

/** What must not really happen in a test, or what Wine only stubs. */
export const doubledDlls: Readonly<Record<string, string>> = {
  'kernel32.dll!SetSystemTime': doubles,
  'advapi32.dll!InitiateSystemShutdownExW': doubles,
  'netapi32.dll!NetUserSetInfo': doubles,
  'powrprof.dll': doubles,
  'wtsapi32.dll': doubles,
  'pdh.dll': doubles,
};

/** And what shows which rights files of users are made with, for users that this machine does not have. */
export const accountDlls: Readonly<Record<string, string>> = {
  'kernel32.dll!CreateFileW': doubles,
  'kernel32.dll!CreateDirectoryW': doubles,
  'kernel32.dll!FlushFileBuffers': doubles,
  'kernel32.dll!MoveFileExW': doubles,
  'advapi32.dll!LookupAccountNameW': doubles,
  'netapi32.dll': doubles,
};

const environment = dll('kernel32.dll', {
  SetEnvironmentVariableW: prototype<(name: string, value: string | null) => number>('int __stdcall SetEnvironmentVariableW(str16 name, str16 value)'),
});

/** Sets a variable where DLLs of this process look: Node's own copy is not theirs in every version. */
export const setVariable = (name: string, value: string | undefined): void => void environment.SetEnvironmentVariableW(name, value ?? null);

/** Lines that doubles write. */
export class CallLog {
  readonly path: string;

  /** @param variable tells the doubles where to write */
  constructor(variable = 'CONCIERGE_DOUBLES_LOG') {
    this.path = join(tmpdir(), `calls-${process.pid}-${variable}.log`);
    setVariable(variable, this.path);
    this.clear();
  }

  clear(): void {
    rmSync(this.path, { force: true });
  }

  lines(): readonly string[] {
    try {
      return readFileSync(this.path, 'utf8').split('\n').filter((line) => line !== '');
    } catch {
      return [];
    }
  }
}
