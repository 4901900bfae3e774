// SPDX-License-Identifier: Apache-2.0
import { win32 } from 'node:path';

import { AgentError } from '../../core/errors/agent-error.ts';
import { posixError } from '../../core/errors/posix-errno.ts';
import { kernel32 } from './bindings/kernel32.ts';
import { candidates, quotedWhereNeeded, variables } from './command-line.ts';
import { fileLane } from './lane.ts';

/** Of CreateProcess, with its zero character. */
const longestLine = 32_766;

const FILE_ATTRIBUTE_DIRECTORY = 0x10;
const INVALID_FILE_ATTRIBUTES = 0xffff_ffff;

export interface ProgramToFind {
  readonly path: string;
  /** Where relative paths begin; absent: the agent's own. */
  readonly directory?: string;
  /** `NAME=VALUE`; absent: the agent's own. */
  readonly environment?: readonly string[] | undefined;
}

/** @throws failed error for a batch file; os error `E2BIG` */
export function commandLineOf(path: string, args: readonly string[]): string {
  // Windows leaves out dots and blanks at the end: `x.bat. ` is a batch file too.
  if (/\.(?:bat|cmd)[. ]*$/i.test(path)) {
    // cmd.exe interprets the arguments of a batch file once more: quoting cannot be right for both.
    throw AgentError.failed(`Failed to execute child process “${path}” (a batch file has to be run by cmd.exe, with /c)`);
  }
  const commandLine = [path, ...args].map(quotedWhereNeeded).join(' ');
  if (commandLine.length > longestLine) throw posixError('E2BIG', { syscall: 'CreateProcess', path });
  return commandLine;
}

/** The file that a name means. @throws os error `ENOENT`, or `EACCES` for a folder */
export async function foundProgram({ path, directory, environment }: ProgramToFind): Promise<string> {
  const searchPath = (environment === undefined ? undefined : variables(environment).get('PATH')?.slice('PATH='.length)) ?? process.env['PATH'] ?? '';
  const placed = (name: string): string => (directory === undefined ? name : win32.resolve(directory, name));
  for (const candidate of candidates(path, searchPath)) {
    const file = placed(candidate);
    const attributes = await attributesOf(file);
    if (attributes !== undefined && (attributes & FILE_ATTRIBUTE_DIRECTORY) === 0) return file;
  }
  const attributes = /[\\/]/.test(path) ? await attributesOf(placed(path)) : undefined;
  if (attributes === undefined) throw posixError('ENOENT', { syscall: 'CreateProcess', path });
  throw posixError((attributes & FILE_ATTRIBUTE_DIRECTORY) === 0 ? 'ENOEXEC' : 'EACCES', { syscall: 'CreateProcess', path });
}

/** @throws os error `ENOENT` or `ENOTDIR` of `chdir` */
export async function demandDirectory(path: string): Promise<void> {
  const attributes = await attributesOf(path);
  if (attributes === undefined) throw posixError('ENOENT', { syscall: 'chdir', path });
  if ((attributes & FILE_ATTRIBUTE_DIRECTORY) === 0) throw posixError('ENOTDIR', { syscall: 'chdir', path });
}

async function attributesOf(path: string): Promise<number | undefined> {
  const { result } = await fileLane.run(() => kernel32.GetFileAttributesW.async(path));
  return result === INVALID_FILE_ATTRIBUTES ? undefined : result;
}

const meanings: Readonly<Record<string, 'ENOENT' | 'EACCES' | 'E2BIG' | 'ENOEXEC'>> = {
  ERROR_FILE_NOT_FOUND: 'ENOENT', ERROR_PATH_NOT_FOUND: 'ENOENT', ERROR_ACCESS_DENIED: 'EACCES', ERROR_FILENAME_EXCED_RANGE: 'E2BIG',
  ERROR_BAD_EXE_FORMAT: 'ENOEXEC', ERROR_ELEVATION_REQUIRED: 'ENOEXEC', ERROR_EXE_MACHINE_TYPE_MISMATCH: 'ENOEXEC', ERROR_INVALID_NAME: 'ENOENT',
};

/** What CreateProcess says, as hosts know it of other systems. */
export function startFailure(error: unknown, path: string): unknown {
  // Of a folder that may not be entered, is too long, or has gone since it was looked at.
  if (AgentError.is(error) && error.os?.code === 'ERROR_DIRECTORY') return posixError('ENOTDIR', { syscall: 'chdir' });
  const code = AgentError.is(error) ? meanings[error.os?.code ?? ''] : undefined;
  return code === undefined ? error : posixError(code, { syscall: 'CreateProcess', path });
}
