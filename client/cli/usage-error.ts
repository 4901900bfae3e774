// SPDX-License-Identifier: Apache-2.0
/** What was typed makes no sense: exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** The subcommand whose help tells more; absent where the general help does. */
  readonly about: string | undefined;

  constructor(message: string, about?: string) {
    super(message);
    this.about = about;
  }

  /** The same of a subcommand, for an error that is thrown where its name is not known. */
  static of(error: unknown, about: string | undefined): unknown {
    return error instanceof UsageError && error.about === undefined ? new UsageError(error.message, about) : error;
  }
}
