// SPDX-License-Identifier: Apache-2.0
/** What went wrong on the host's side of the channel. */
export type ClientErrorKind =
  /** The agent answered with an error: `agentClass` and the message are its words. */
  | 'refused'
  /** No answer in time, or one that is known to be lost. The next call resynchronises first. */
  | 'timeout'
  | 'aborted'
  /** What the program was told cannot be: a URI, a URL, a token, a fingerprint, a guest's number. Nothing was sent. */
  | 'misused'
  /** The channel closed, or could not be opened. */
  | 'closed'
  /** What came is no answer of an agent. */
  | 'garbage'
  /** An answer longer than `maxReplyBytes`. */
  | 'too-large'
  /** `withFrozen`: the guest was thawed before the work was done. */
  | 'hold-lost'
  /** `withFrozen`: the guest could not be told to thaw. It may still be frozen. */
  | 'left-frozen';

const brand = Symbol.for('concierge-ga/ClientError');

/** The one error class of the client; recognised by a brand, so that two copies of the package understand each other. */
export class ClientError extends Error {
  readonly kind: ClientErrorKind;
  /** `CommandNotFound` or `GenericError`, for `refused`. */
  readonly agentClass: string | undefined;
  /** Of a program that has not ended in time (`exec`): its number in the guest, where it goes on. */
  readonly pid: bigint | undefined;
  /** The command that the agent lacks and nothing else can stand for. */
  readonly missing: string | undefined;

  constructor(kind: ClientErrorKind, message: string, options: { agentClass?: string; pid?: bigint; missing?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ClientError';
    this.kind = kind;
    this.agentClass = options.agentClass;
    this.pid = options.pid;
    this.missing = options.missing;
    Object.defineProperty(this, brand, { value: true });
  }

  static is(value: unknown): value is ClientError {
    return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[brand] === true;
  }
}
