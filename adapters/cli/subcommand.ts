// SPDX-License-Identifier: Apache-2.0
import type { Settings } from '../config/settings.ts';
import type { Composition } from './composition.ts';

/** What a subcommand is given. */
export interface SubcommandContext {
  readonly settings: Settings;
  /** Where the settings are from, and what was passed over in it. */
  readonly configuration: {
    readonly file: string | undefined;
    readonly warnings: readonly string[];
    /** Why it cannot be used: then the settings are defaults. Only for a subcommand that looks for such things. */
    readonly problem?: string;
  };
  /** Words of the command line that are neither options nor flags of the subcommand. */
  readonly words: readonly string[];
  /** Flags of the subcommand that were given, without dashes. */
  readonly flags: ReadonlySet<string>;
  /** Options of the subcommand that take a value. */
  readonly options?: ReadonlyMap<string, string>;
  readonly composition: Composition;
  /** Standard output. */
  readonly print: (text: string) => void;
  /** A line on standard error. */
  readonly complain: (text: string) => void;
}

/** Answers the exit status. @throws failed error, printed as one line */
export type RunSubcommand = (context: SubcommandContext) => Promise<number>;
