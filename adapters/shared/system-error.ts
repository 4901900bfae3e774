// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../core/errors/agent-error.ts';
import { isPosixCode, posixError } from '../../core/errors/posix-errno.ts';

/** An error of `node:fs` and its like with the sentence that the C library has for it; others are wrapped as they are. */
export function systemError(error: unknown, path?: string): AgentError {
  if (AgentError.is(error)) return error;
  if (!(error instanceof Error)) return AgentError.failed(String(error));
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || !isPosixCode(code)) return AgentError.failed(error.message, error);
  return posixError(code, { ...(syscall === undefined ? {} : { syscall }), ...(path === undefined ? {} : { path }) });
}
