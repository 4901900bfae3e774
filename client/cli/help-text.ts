// SPDX-License-Identifier: Apache-2.0
import { globalFlags } from './command-line.ts';
import { subcommands } from './subcommands.ts';
import type { FlagSyntax, SubcommandEntry } from './terminal.ts';

const width = 36;

const flagText = ({ name, placeholder, letter }: FlagSyntax): string => `${letter === undefined ? '' : `-${letter}, `}--${name}${placeholder === undefined ? '' : ` ${placeholder}`}`;

/** Something on the left, and what it means beside or below it. */
function row(left: string, right: string): string {
  const head = `  ${left}`;
  return head.length > width - 2 ? `${head}\n${' '.repeat(width)}${right}` : `${head.padEnd(width)}${right}`;
}

/** The text of `--help`. */
export const helpText = (): string => [
  'Usage: concierge-ctl [OPTIONS] SUBCOMMAND [...]',
  'Asks a guest through the socket of its agent, and gives it orders.',
  '',
  ...subcommands.map(({ name, usage, summary }) => row(`${name} ${usage}`.trimEnd(), summary)),
  '',
  ...globalFlags.map((flag) => row(flagText(flag), flag.doc)),
  '',
  'concierge-ctl SUBCOMMAND --help tells more of one.',
  'Exit status: 0 done, 1 refused, 2 misused, 3 no channel, 4 no answer in time; with exec that of the program.',
  '',
].join('\n');

/** The text of `SUBCOMMAND --help`. */
export const subcommandHelp = ({ name, usage, summary, details, flags }: SubcommandEntry): string => [
  `Usage: concierge-ctl [OPTIONS] ${`${name} ${usage}`.trimEnd()}`,
  summary,
  ...(details === undefined ? [] : ['', details]),
  ...(flags.length === 0 ? [] : ['', ...flags.map((flag) => row(flagText(flag), flag.doc))]),
  '',
  // A subcommand may have its own meaning for a flag.
  ...globalFlags.filter(({ name: one }) => flags.every((flag) => flag.name !== one)).map((flag) => row(flagText(flag), flag.doc)),
  '',
].join('\n');
