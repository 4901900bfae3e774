// SPDX-License-Identifier: Apache-2.0
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { AgentError, withContext } from '../../core/errors/agent-error.ts';
import { systemError } from '../shared/system-error.ts';
import { mustBeRegular, openTrusted, refusedWith } from '../shared/trust/trusted-file.ts';

export interface PidFile {
  /** Takes the file away, unless it is another's by now. */
  remove(): void;
}

/**
 * Leaves the process number in a file that stays locked while the process lives, as qemu-ga 11.1 does with `-d`.
 * @throws failed or os error in the reference's words
 */
export function createPidFile(path: string, lock: ((fd: number) => void) | undefined): PidFile {
  const fd = open(path);
  try {
    take(fd, path, lock);
    ftruncateSync(fd);
    writeSync(fd, `${process.pid}\n`, 0);
  } catch (error) {
    closeSync(fd);
    throw AgentError.is(error) ? error : withContext('Failed to write pid file', systemError(error, path));
  }
  return {
    remove: () => {
      if (isAt(fd, path)) unlinkSync(path);
      closeSync(fd);
    },
  };
}

function open(path: string): number {
  try {
    if (process.platform === 'win32') return openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
    return openTrusted(path, { flags: constants.O_RDWR, create: 0o600, check: mustBeRegular });
  } catch (error) {
    throw refusedWith(`Could not create '${path}'`, systemError(error, path));
  }
}

function take(fd: number, path: string, lock: ((fd: number) => void) | undefined): void {
  try {
    lock?.(fd);
  } catch (error) {
    const owner = readFileSync(fd, 'latin1').trim();
    const who = /^\d+$/.test(owner) ? ` (process ${owner} has ${path})` : ` (another process has ${path})`;
    throw AgentError.failed(withContext('Cannot lock pid file', error).message + who, error);
  }
  // Its former owner may have removed the file between our opening and locking it.
  if (!isAt(fd, path)) throw AgentError.failed(`Cannot lock pid file: ${path} was replaced meanwhile; start again`);
}

function isAt(fd: number, path: string): boolean {
  try {
    const [mine, there] = [fstatSync(fd, { bigint: true }), statSync(path, { bigint: true })];
    return mine.ino === there.ino && mine.dev === there.dev;
  } catch {
    return false;
  }
}
