// SPDX-License-Identifier: Apache-2.0
import type { EventEmitter } from 'node:events';
import type { Readable, Writable } from 'node:stream';

import type { GuestClient } from '../guest-client.ts';
import type { Column } from './table.ts';
import type { Target } from './target.ts';

/** Where a subcommand reads and prints. */
export interface Terminal {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Whether somebody watches standard error: progress is only for people. */
  readonly isWatched: boolean;
  /** Whether standard output is a terminal, which obeys what is in the bytes of a guest. */
  readonly isScreen?: boolean;
  /** Whether standard input is a terminal: only then somebody can be asked, and only then it may be made raw. */
  readonly isTyped?: boolean;
  /** Where signals come from; the process where absent. */
  readonly signals?: EventEmitter;
}

/** Standard output and standard error are for bytes alone; text goes through `print` and `complain`. */
export interface SubcommandContext extends Terminal {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** All that can be asked. */
  readonly subcommands: readonly SubcommandEntry[];
  /** Another conversation with the same guest. */
  readonly reconnect?: () => Promise<GuestClient>;
  /** Text to standard output. Whatever a guest put into it has no effect on a terminal; line feeds and tabs are kept. */
  readonly print: (text: string) => void;
  /** The same to standard error. */
  readonly complain: (text: string) => void;
  /** A table for people, and names with values, one pair a line: what many guests print becomes one table. */
  readonly showTable: (columns: readonly Column[], rows: readonly (readonly string[])[]) => void;
  readonly showPairs: (given: readonly (readonly [name: string, value: string | undefined])[]) => void;
  /** Asks somebody who is there; absent where nobody is. */
  readonly ask?: (question: string) => Promise<string>;
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

/** The same for several guests at once, which are opened when they are asked for. `again` finds out who is meant by now. */
export type RunTogether = (context: Omit<SubcommandContext, 'client' | 'reconnect'>, guests: readonly Target[], again: () => Promise<readonly Target[]>) => Promise<number>;

export interface FlagSyntax {
  readonly name: string;
  /** What stands for the value in the help; absent: it takes none. */
  readonly placeholder?: string;
  /** One letter that stands for it before the words of a program. */
  readonly letter?: string;
  /** It may be given several times: the values, with a zero byte between them. */
  readonly isList?: true;
  readonly doc: string;
}

export interface SubcommandEntry {
  readonly name: string;
  /** What stands behind it: `guest:PATH DESTINATION`. */
  readonly usage: string;
  readonly summary: string;
  /** Whole sentences for its own help, beyond the summary. */
  readonly details?: string;
  readonly flags: readonly FlagSyntax[];
  /** How many words it takes at most; absent: none. */
  readonly words?: number;
  /** False for what works without a guest. */
  readonly needsGuest?: false;
  /** What opens its channels itself, by `reconnect`: it has no `client`. */
  readonly opensItself?: true;
  /** What it does with many guests: each on its own, or all together (`runTogether`). Absent: it is for one. */
  readonly many?: 'each' | 'together';
  readonly load: () => Promise<{ readonly run: RunSubcommand; readonly runTogether?: RunTogether }>;
}
