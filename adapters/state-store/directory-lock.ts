import { closeSync, constants, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError, osCode, withContext } from '../../core/errors/agent-error.ts';
import { systemError } from '../shared/system-error.ts';

/**
 * Takes fcntl(2)'s write lock on the whole file, which ends with the process.
 * @throws os error `EAGAIN` or `EACCES` while another process has it
 */
export type LockFile = (fd: number) => void;

export interface DirectoryLock {
  /** An agent has used this directory before. */
  readonly usedBefore: boolean;
  release(): void;
}

/**
 * Makes the state directory this agent's own. Without `lock` (a platform that has none) it is only marked as used.
 * The process number is written where `mayWrite`.
 * @throws failed error that names the process that has it
 */
export function lockDirectory(directory: string, lock: LockFile | undefined, mayWrite: boolean): DirectoryLock {
  const path = join(directory, 'concierge-ga.lock');
  const { fd, usedBefore } = openLock(path, directory);
  try {
    lock?.(fd);
    if (mayWrite) {
      ftruncateSync(fd);
      writeSync(fd, `${process.pid}\n`, 0);
    }
  } catch (error) {
    const owner = readOwner(fd);
    closeSync(fd);
    const code = osCode(error);
    if (code !== 'EAGAIN' && code !== 'EACCES') throw withContext(`unable to lock ${path}`, systemError(error, path));
    throw AgentError.failed(
      `another agent${owner} uses the state directory ${directory}: stop it, or give this one a directory of its own with --statedir`,
      error,
    );
  }
  return { usedBefore, release: () => closeSync(fd) };
}

function openLock(path: string, directory: string): { readonly fd: number; readonly usedBefore: boolean } {
  const flags = constants.O_RDWR | (constants.O_NOFOLLOW ?? 0);
  try {
    return { fd: openSync(path, flags), usedBefore: true };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw unusable(directory, path, error);
  }
  try {
    return { fd: openSync(path, flags | constants.O_CREAT, 0o600), usedBefore: false };
  } catch (error) {
    throw unusable(directory, path, error);
  }
}

const unusable = (directory: string, path: string, error: unknown): AgentError =>
  AgentError.failed(`unable to use the state directory ${directory}: ${systemError(error, path).message} (choose another with --statedir)`, error);

function readOwner(fd: number): string {
  const bytes = Buffer.alloc(32);
  const pid = bytes.toString('latin1', 0, readSync(fd, bytes, 0, bytes.length, 0)).trim();
  return /^\d+$/.test(pid) ? ` (process ${pid})` : '';
}
