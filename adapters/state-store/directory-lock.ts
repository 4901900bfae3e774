// SPDX-License-Identifier: Apache-2.0
import { closeSync, constants, ftruncateSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { AgentError, messageOf, osCode, withContext } from '../../core/errors/agent-error.ts';
import type { KeptDescriptors } from '../../core/ports/index.ts';
import { systemError } from '../shared/system-error.ts';
import type { StateDirectory } from './state-directory.ts';

/**
 * Takes fcntl(2)'s write lock on the whole file, which ends with the process or with whatever outlives it.
 * @throws os error `EAGAIN` or `EACCES` while another process has it
 */
export type LockFile = (fd: number) => void;

const lockName = 'concierge-ga.lock';
/** As which the lock outlives the agent. */
const keptName = 'lock';

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
export function lockDirectory(
  directory: StateDirectory,
  { lock, mayWrite, kept }: { readonly lock: LockFile | undefined; readonly mayWrite: boolean; readonly kept?: Pick<KeptDescriptors, 'take' | 'keep'> | undefined },
): DirectoryLock {
  const path = join(directory.path, lockName);
  const left = kept?.take(keptName, path);
  if (left !== undefined) return { usedBefore: true, release: () => closeSync(left) };
  const { fd, usedBefore } = openLock(directory);
  try {
    lock?.(fd);
    if (mayWrite) {
      ftruncateSync(fd);
      // What outlives this process is its parent, and that is what has to be stopped.
      writeSync(fd, `${kept === undefined ? process.pid : process.ppid}\n`, 0);
    }
    kept?.keep(keptName, 'plain', path, fd);
  } catch (error) {
    const owner = readOwner(fd);
    closeSync(fd);
    const code = osCode(error);
    if (code !== 'EAGAIN' && code !== 'EACCES') throw withContext(`unable to lock ${path}`, systemError(error, path));
    throw AgentError.failed(
      `another agent${owner} uses the state directory ${directory.path}: stop it, or give this one a directory of its own with --statedir`,
      error,
    );
  }
  return { usedBefore, release: () => closeSync(fd) };
}

function openLock(directory: StateDirectory): { readonly fd: number; readonly usedBefore: boolean } {
  try {
    return { fd: directory.open(lockName, constants.O_RDWR), usedBefore: true };
  } catch (error) {
    if (osCode(error) !== 'ENOENT') throw unusable(directory.path, error);
  }
  try {
    return { fd: directory.open(lockName, constants.O_RDWR | constants.O_CREAT, 0o600), usedBefore: false };
  } catch (error) {
    throw unusable(directory.path, error);
  }
}

const unusable = (directory: string, error: unknown): unknown =>
  osCode(error) === undefined ? error : AgentError.failed(`unable to use the state directory ${directory}: ${messageOf(error)} (choose another with --statedir)`, error);

function readOwner(fd: number): string {
  const bytes = Buffer.alloc(32);
  const pid = bytes.toString('latin1', 0, readSync(fd, bytes, 0, bytes.length, 0)).trim();
  return /^\d+$/.test(pid) ? ` (process ${pid})` : '';
}
