// SPDX-License-Identifier: Apache-2.0
import { accessSync, closeSync, constants, openSync, readSync, statSync } from 'node:fs';
import { posixError, type SpawnRequest } from 'concierge-ga/kit';

import { systemError } from './system-error.ts';

/** Where programs are looked for when nobody says: confstr(3) `_CS_PATH`. */
const defaultPath = '/usr/bin:/bin:/usr/sbin:/sbin';

export const environmentOf = ({ environment }: SpawnRequest): NodeJS.ProcessEnv =>
  environment === undefined
    ? process.env
    : Object.fromEntries(environment.map((entry): [string, string] => {
        const mark = entry.indexOf('=', 1);
        return mark === -1 ? [entry, ''] : [entry.slice(0, mark), entry.slice(mark + 1)];
      }));

/**
 * Says beforehand why a program cannot be run: Node's own search hands a file of no known form to a shell, as
 * execvp(3) does, and a host that asked for a program did not ask for a shell.
 *
 * @throws os error `ENOENT`, `EACCES`, `ENOEXEC`
 */
export function checkProgram(path: string, environment: NodeJS.ProcessEnv): void {
  const candidates = path.includes('/') ? [path] : (environment['PATH'] ?? defaultPath).split(':').map((directory) => `${directory === '' ? '.' : directory}/${path}`);
  let first: unknown;
  for (const candidate of candidates) {
    const problem = problemOf(candidate);
    if (problem === undefined) return;
    // A program that is there and may not be run says more than one that is not there.
    if (first === undefined || problem.os?.code === 'EACCES') first = problem;
  }
  throw first ?? posixError('ENOENT', { syscall: 'execve', path });
}

function problemOf(path: string) {
  try {
    const status = statSync(path);
    if (!status.isFile()) return posixError('EACCES', { syscall: 'execve', path });
    accessSync(path, constants.X_OK);
    return hasForm(path) ? undefined : posixError('ENOEXEC', { syscall: 'execve', path });
  } catch (error) {
    return systemError(error, path);
  }
}

/** ELF, Mach-O (both byte orders, and for several processors), or a script that names its interpreter. */
const forms = [[0x7f, 0x45, 0x4c, 0x46], [0xcf, 0xfa, 0xed, 0xfe], [0xfe, 0xed, 0xfa, 0xcf], [0xca, 0xfe, 0xba, 0xbe], [0x23, 0x21]];

function hasForm(path: string): boolean {
  const head = Buffer.alloc(4);
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    // It can be run and not read: only the kernel knows.
    return true;
  }
  try {
    const length = readSync(file, head);
    return forms.some((form) => form.length <= length && form.every((byte, at) => head[at] === byte));
  } finally {
    closeSync(file);
  }
}
