// SPDX-License-Identifier: Apache-2.0
/** What was typed makes no sense: exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
