// SPDX-License-Identifier: Apache-2.0
import { AgentError, isPosixCode, posixError } from 'concierge-ga/kit';

/** An error of Node with the sentence that the C library has for it. */
export function systemError(error: unknown, path?: string): AgentError {
  if (AgentError.is(error)) return error;
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (!isPosixCode(code)) return AgentError.failed(error instanceof Error ? error.message : String(error), error);
  return posixError(code, path === undefined ? {} : { path });
}

/** Runs a call of Node and gives its errors the form of the ports. */
export async function asSystem<T>(call: Promise<T>, path?: string): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw systemError(error, path);
  }
}
