// SPDX-License-Identifier: Apache-2.0
import { posixErrorOf } from '../../../core/errors/posix-errno.ts';
import type { FrozenTarget, ThawOutcome } from '../../../core/ports/freezing.ts';

/** `error` 0 without a time: nothing was frozen any more. */
export const thawOutcome = ({ id, mountPoint }: FrozenTarget, error: number, thawedAt: bigint): ThawOutcome => ({
  id,
  mountPoint,
  thawed: thawedAt !== 0n,
  ...(thawedAt !== 0n && { thawedAt }),
  ...(error !== 0 && { error: `failed to thaw ${mountPoint}: ${posixErrorOf(error).message}` }),
});
