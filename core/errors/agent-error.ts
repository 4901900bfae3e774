// SPDX-License-Identifier: Apache-2.0
/** What kind of refusal an error is; the protocol's error class follows from it (see `describeError`). */
export type AgentErrorKind =
  /** The command does not exist on this machine, or policy or the frozen state forbids it. */
  | 'command-not-found'
  /** Arguments, state or an operation failed: the caller reads the message. */
  | 'failed'
  /** An operating system call failed: `code`, `errno` and `osText` say how. */
  | 'os';

/** What an operating system said of a failed call. */
export interface OsFailure {
  /** Symbolic code in the spelling of errno(3) or of the Win32 headers: `ENOENT`, `ERROR_ACCESS_DENIED`. */
  readonly code: string;
  /** The numeric code: positive errno on POSIX, Win32 error or HRESULT on Windows. */
  readonly errno: number;
  /** The system's own sentence for the code, C locale on POSIX: `No such file or directory`. */
  readonly osText: string;
  readonly syscall?: string;
  readonly path?: string;
}

const brand = Symbol.for('concierge-ga/AgentError');

/**
 * The one error class of the project.
 *
 * It is recognised by a brand and not by `instanceof`, because a backend package bundles its own copy.
 */
export class AgentError extends Error {
  readonly kind: AgentErrorKind;
  readonly os: OsFailure | undefined;

  constructor(kind: AgentErrorKind, message: string, options: { os?: OsFailure; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AgentError';
    this.kind = kind;
    this.os = options.os;
    Object.defineProperty(this, brand, { value: true });
  }

  static is(value: unknown): value is AgentError {
    return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[brand] === true;
  }

  /** A command failed for a reason of its own: the message is the whole `desc`. */
  static failed(message: string, cause?: unknown): AgentError {
    return new AgentError('failed', message, { cause });
  }

  /** A system call failed below a port. Its message alone is the system's sentence. */
  static os(os: OsFailure, cause?: unknown): AgentError {
    return new AgentError('os', os.osText, { os, cause });
  }
}

/** The words of anything that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The errno-style code of an error thrown by a port, or `undefined` where it carries none. */
export const osCode = (error: unknown): string | undefined => (AgentError.is(error) ? error.os?.code : undefined);

/**
 * Puts what was attempted in front of what the system said: `TEXT: STRERROR`, the shape of every system
 * failure on this protocol. An error that already is a whole sentence is passed on unchanged.
 */
export function withContext(text: string, error: unknown): AgentError {
  if (AgentError.is(error)) {
    if (error.kind !== 'os' || error.os === undefined) return error;
    return new AgentError('os', error.os.errno === 0 ? text : `${text}: ${error.os.osText}`, { os: error.os, cause: error });
  }
  return new AgentError('failed', `${text}: ${messageOf(error)}`, { cause: error });
}
