// SPDX-License-Identifier: Apache-2.0
import { closestName } from '../../core/errors/closest-name.ts';
import type { CommandLine } from './command-line.ts';
import type { FlagSyntax, SubcommandEntry } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** Flags of a subcommand, by its name. */
export const flagsIn = (subcommands: readonly SubcommandEntry[]) => (name: string): readonly FlagSyntax[] => subcommands.find((entry) => entry.name === name)?.flags ?? [];

/** @throws UsageError that says what was meant */
export function subcommandNamed(subcommands: readonly SubcommandEntry[], given: string | undefined): SubcommandEntry {
  const entry = subcommands.find(({ name }) => name === given);
  if (entry !== undefined) return entry;
  if (given === undefined) throw new UsageError('say what to do');
  const names = subcommands.map(({ name }) => name);
  const meant = closestName(given, names);
  throw new UsageError(`there is no '${given}': there are ${names.join(', ')}${meant === undefined ? '' : `; did you mean ${meant}?`}`);
}

/** The subcommand that a command line names. @throws UsageError where there is none, or it does not take so many words */
export function subcommandOf(subcommands: readonly SubcommandEntry[], { subcommand, words }: CommandLine): SubcommandEntry {
  const entry = subcommandNamed(subcommands, subcommand);
  const tooMany = words[entry.words ?? 0];
  if (tooMany !== undefined) throw new UsageError(`'${tooMany}' is one word too many: ${entry.name} takes ${entry.usage === '' ? 'none' : entry.usage}`, entry.name);
  return entry;
}
