import type { Readable, Writable } from 'node:stream';

import type { GuestClient } from '../guest-client.ts';

/** Where a subcommand reads and prints. */
export interface Terminal {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Whether somebody watches standard error: progress is only for people. */
  readonly isWatched: boolean;
}

export interface SubcommandContext extends Terminal {
  readonly client: GuestClient;
  /** What stands behind the subcommand and is no flag. */
  readonly words: readonly string[];
  /** Flags that were given, without dashes; the value of one that takes none is ''. */
  readonly flags: ReadonlyMap<string, string>;
  /** `--json`: for programs. */
  readonly json: boolean;
}

/** Answers the exit status. */
export type RunSubcommand = (context: SubcommandContext) => Promise<number>;

export interface FlagSyntax {
  readonly name: string;
  /** What stands for the value in the help; absent: it takes none. */
  readonly placeholder?: string;
}

export interface SubcommandEntry {
  readonly name: string;
  /** What stands behind it: `guest:PATH DESTINATION`. */
  readonly usage: string;
  readonly summary: string;
  readonly flags: readonly FlagSyntax[];
  /** How many words it takes at most; absent: none. */
  readonly words?: number;
  /** False for what works without a guest. */
  readonly needsGuest?: false;
  readonly load: () => Promise<{ readonly run: RunSubcommand }>;
}
