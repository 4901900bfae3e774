// SPDX-License-Identifier: Apache-2.0
import { globalFlags } from '../../client/cli/command-line.ts';
import { subcommands } from '../../client/cli/subcommands.ts';
import type { FlagSyntax } from '../../client/cli/terminal.ts';
import { facts } from '../product-facts.ts';
import { ctlFacts } from './facts.ts';

/** concierge-ctl(1) in the macros of man(7), made from the tables that the program itself is made from. */
export function ctlManPage(date: number): string {
  const day = new Date(date * 1000).toISOString().slice(0, 10);
  return [
    `.TH CONCIERGE-CTL 1 ${day} "concierge-ctl ${facts.version}" "User Commands"`,
    '.SH NAME',
    `concierge-ctl \\- ${escape(ctlFacts.summary)}`,
    '.SH SYNOPSIS',
    '.B concierge-ctl',
    '[\\fIOPTIONS\\fR] \\fISUBCOMMAND\\fR [...]',
    '.SH DESCRIPTION',
    ...ctlFacts.description.flatMap((paragraph, index) => [...(index === 0 ? [] : ['.PP']), ...sentences(paragraph)]),
    '.SH OPTIONS',
    ...globalFlags.flatMap(flag),
    '.SH SUBCOMMANDS',
    ...subcommands.flatMap(({ name, usage, summary, details, flags }) => [
      '.TP', `\\fB${escape(name)}\\fR ${escape(usage)}`.trimEnd(), ...sentences(summary),
      ...(details === undefined ? [] : ['.IP', ...details.split('\n').flatMap((line) => (line.startsWith('  ') ? ['.br', ...sentences(line.trim())] : sentences(line)))]),
      ...(flags.length === 0 ? [] : ['.RS', ...flags.flatMap(flag), '.RE']),
    ]),
    '.SH FILES',
    '.TP', '.I ~/.config/concierge\\-ctl/guests.conf',
    '.TQ', '.I /etc/concierge\\-ctl/guests.conf',
    ...sentences('The list of guests: groups with a name in brackets, and in them the options that lead to the guest, as key=value. Nobody else may write to it.'),
    '.SH EXIT STATUS',
    ...sentences('0 done, 1 refused, 2 misused, 3 no channel, 4 no answer in time; with exec that of the program, with frozen that of the command or one of those above.'),
    '.SH SEE ALSO',
    '.BR virsh (1),',
    '.BR qm (1)',
    '',
  ].join('\n');
}

const flag = ({ name, placeholder, doc }: FlagSyntax): readonly string[] => ['.TP', `\\fB\\-\\-${escape(name)}\\fR${placeholder === undefined ? '' : ` \\fI${escape(placeholder)}\\fR`}`, ...sentences(doc)];

/** One sentence per line, as man(7) wants it; none begins with a control character. */
const sentences = (text: string): readonly string[] =>
  escape(text)
    .split(/(?<=[.:;]) (?=[A-Z])/)
    .map((line) => (/^['.]/.test(line) ? `\\&${line}` : line));

const escape = (text: string): string => text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('`', '');
