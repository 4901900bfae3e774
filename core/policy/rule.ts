// SPDX-License-Identifier: Apache-2.0
import type { CommandGroup } from '../schema/command.ts';

export type Effect = 'allow' | 'refuse';

/**
 * What has to hold of a request. Each list is fitted as its rule needs it: what is allowed has to be in the list as a whole, and
 * of what is refused one part is enough.
 */
export interface Conditions {
  /** Patterns of the program's real path. */
  readonly programs?: readonly string[];
  /** One pattern for each argument of the program; `...` at the end stands for any others. */
  readonly arguments?: readonly string[];
  /** Patterns of the names of variables that are given to the program. */
  readonly environment?: readonly string[];
  /** Directories below which, or files in which, may be read or written: real paths. */
  readonly files?: { readonly read?: readonly string[]; readonly write?: readonly string[] };
  /** Patterns of user names. */
  readonly users?: readonly string[];
  /** Patterns of names of groups; the user has to be in one of them. */
  readonly userGroups?: readonly string[];
  /** Patterns of mount points. */
  readonly mountPoints?: readonly string[];
  /** Bytes that are read, written or fed to a program. */
  readonly size?: { readonly atMost?: bigint; readonly moreThan?: bigint };
}

export type ConditionName = keyof Conditions;

/** One rule of the policy. Without commands and groups it is about every command. */
export interface Rule {
  /** Its own among all rules: refusals name it. */
  readonly name: string;
  readonly effect: Effect;
  /** Names, or patterns of names. */
  readonly commands?: readonly string[];
  readonly groups?: readonly CommandGroup[];
  /** Names or patterns of commands that it is not about after all. */
  readonly except?: readonly string[];
  /** By which channels a request has to come, by their names or methods; absent: by any. */
  readonly channels?: readonly string[];
  /** Of a profile: names of the channels that have it, where there are several. */
  readonly at?: readonly string[];
  readonly when?: Conditions;
  /** Why, for people. */
  readonly reason?: string;
  /** Whether the host is told reason and name, or only the log. */
  readonly tell: 'host' | 'log';
  /** Where it was written. */
  readonly origin: Origin;
}

/** A line of a file, a setting, or the agent itself (a profile, the default). */
export type Origin =
  | { readonly kind: 'file'; readonly file: string; readonly line: number; /** Its default: what is left for it may be nothing. */ readonly isDefault?: true }
  | { readonly kind: 'setting' }
  | { readonly kind: 'built-in' };

/** Rules that a policy may have in all. */
export const MAX_RULES = 10_000;

export const originText = (origin: Origin): string => (origin.kind === 'file' ? `${origin.file}:${origin.line}` : origin.kind === 'setting' ? 'a setting' : 'built in');
