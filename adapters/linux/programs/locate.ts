// SPDX-License-Identifier: Apache-2.0
import { constants } from 'node:fs';

import { posixErrorOf, posixError } from '../../../core/errors/posix-errno.ts';
import type { LocatedProgram } from '../../../core/ports/processes.ts';
import { closeWalk, walkPathAside } from '../../shared/trust/path-walk.ts';
import { agentUser, whyDistrusted } from '../../shared/trust/rule.ts';

const EACCES = 13;
/** What execvp(3) passes over: ENOENT, ENOTDIR, ENODEV, ETIMEDOUT, ESTALE. */
const passedOver = new Set([2, 20, 19, 110, 116]);

/**
 * The file that would be executed, by its real path. Where nobody else can change what is on the way to it, that path leads there
 * until it is executed.
 */
export async function locateProgram(path: string, environment: readonly string[] | undefined): Promise<LocatedProgram> {
  const failed = (errno: number): Error => posixErrorOf(errno, { syscall: 'execve', path });
  let denied = false;
  for (const candidate of candidatesOf(path, environment)) {
    const walk = await walkPathAside(candidate);
    closeWalk(walk);
    const last = walk.steps.at(-1);
    const isRunnable = walk.errno === 0 && last !== undefined && (last.mode & constants.S_IFMT) === constants.S_IFREG && (last.mode & 0o111) !== 0;
    if (isRunnable) {
      const distrusted = whyDistrusted(walk.steps, agentUser());
      return { path: last.path, ...(distrusted !== undefined && { distrusted }) };
    }
    if (walk.errno === 0 || walk.errno === EACCES) denied = true;
    else if (!passedOver.has(walk.errno)) throw failed(walk.errno);
  }
  throw denied ? posixError('EACCES', { syscall: 'execve', path }) : posixError('ENOENT', { syscall: 'execve', path });
}

/** Where a program may lie, in order, as native/linux/program-start.cc has it. */
function candidatesOf(path: string, environment: readonly string[] | undefined): readonly string[] {
  if (path.includes('/')) return [path];
  if (path === '') return [];
  const given = environment?.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length);
  return (given ?? process.env['PATH'] ?? '/bin:/usr/bin').split(':').map((directory) => `${directory === '' ? '.' : directory}/${path}`);
}
