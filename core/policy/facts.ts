// SPDX-License-Identifier: Apache-2.0
import type { CommandSchema } from '../schema/command.ts';
import { plainPath } from '../errors/plain-path.ts';
import { Base64Text } from '../schema/types.ts';

/** Where something lies that was opened. */
export interface Place {
  /** Its real paths, every one that is known. */
  readonly names: readonly string[];
  /** It may have others that are not known: a hard link, a mount of somebody else's. */
  readonly mayHaveOthers: boolean;
}

export interface FileFact extends Place {
  readonly read: boolean;
  readonly write: boolean;
}

export interface ProgramFact {
  /** The real path of what would be executed. */
  readonly path: string;
  /** Why others could exchange it, as a sentence. */
  readonly distrusted?: string;
}

/** It has not been opened or looked up yet, and only what was is judged. */
export const UNOPENED = 'unopened';

/** What conditions are about, of one request. What it has not is absent. */
export interface Facts {
  readonly file?: FileFact | typeof UNOPENED;
  readonly program?: ProgramFact | typeof UNOPENED;
  readonly arguments?: readonly string[];
  /** Names of the variables that are given. */
  readonly environment?: readonly string[];
  /** Null: none is named, and it is the agent's own; or it has other groups than its own, and is no longer what its name says. */
  readonly user?: string | null;
  /** Names of the groups that the user is in; null where the user is. */
  readonly userGroups?: readonly string[] | typeof UNOPENED | null;
  readonly mountPoints?: readonly string[] | 'all';
  readonly size?: number | bigint;
}

/** Bytes that guest-file-read reads where nobody says how many. */
const DEFAULT_COUNT = 4096n;

/** What is known before anything is opened, of arguments that have been validated. */
export function factsOf(schema: CommandSchema, args: Readonly<Record<string, unknown>>): Facts {
  // All at once, and always in this order: objects of one shape are read soonest.
  const facts: { -readonly [K in keyof Facts]: Facts[K] | undefined } = {
    file: undefined, program: undefined, arguments: undefined, environment: undefined, user: undefined, userGroups: undefined, mountPoints: undefined, size: undefined,
  };
  if (schema.concernsAll === 'mountPoints') facts.mountPoints = 'all';
  else if (schema.concernsAll === 'user') facts.user = null;
  for (const name in schema.arguments) {
    const value = args[name];
    switch (schema.arguments[name]?.judged) {
      case undefined:
        break;
      case 'file':
        facts.file = UNOPENED;
        break;
      case 'program':
        facts.program = UNOPENED;
        break;
      case 'arguments':
        facts.arguments = (value ?? []) as readonly string[];
        break;
      case 'environment':
        facts.environment = ((value ?? []) as readonly string[]).map((text) => text.split('=', 1).join());
        break;
      case 'user':
        facts.user = (value ?? null) as string | null;
        break;
      case 'groups':
        // Behind 'user' among the arguments.
        if (((value ?? []) as readonly string[]).length > 0) facts.user = null;
        break;
      case 'mountPoints':
        facts.mountPoints = value === undefined ? 'all' : (value as readonly string[]).map(plainPath);
        break;
      default:
        facts.size = sizeOf(value, schema.arguments[name]?.type.kind === 'int');
    }
  }
  if (facts.user !== undefined) facts.userGroups = facts.user === null ? null : UNOPENED;
  return facts as Facts;
}

function sizeOf(value: unknown, isCount: boolean): number | bigint {
  if (typeof value === 'bigint') return value;
  if (value instanceof Base64Text) return value.size;
  if (typeof value === 'string') return Math.floor((value.length * 3) / 4);
  return isCount ? DEFAULT_COUNT : 0;
}
