// SPDX-License-Identifier: Apache-2.0
import { ClientError, type ClientErrorKind } from '../client-error.ts';
import { isEndingSignal, statusOfSignal } from './signals.ts';
import { UsageError } from './usage-error.ts';

/** 1 the guest refused or failed, 2 what was typed leads nowhere, 3 no channel, 4 no answer in time. */
const statusOf: Readonly<Record<ClientErrorKind, number>> = {
  refused: 1, garbage: 1, 'too-large': 1, 'hold-lost': 1, 'left-frozen': 1, aborted: 1, misused: 2, closed: 3, timeout: 4,
};

/** The exit status that tells of an error; 2 for a command line that makes no sense. */
export function statusOfError(error: unknown): number {
  if (error instanceof UsageError) return 2;
  if (ClientError.is(error) && isEndingSignal(error.cause)) return statusOfSignal(error.cause);
  return ClientError.is(error) ? statusOf[error.kind] : 1;
}
