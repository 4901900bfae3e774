// SPDX-License-Identifier: Apache-2.0
import { commandLineOptions, type CommandLineOption } from '../adapters/config/command-line.ts';
import { configurationPaths, defaultPath, settingRows } from '../adapters/config/settings-table.ts';
import { subcommands } from '../adapters/cli/subcommands/index.ts';
import { facts } from './product-facts.ts';

/** concierge-ga(8) in the macros of man(7), made from the tables that the program itself is made from. */
export function manPage(date: number): string {
  const day = new Date(date * 1000).toISOString().slice(0, 10);
  return [
    `.TH CONCIERGE-GA 8 ${day} "concierge-ga ${facts.version}" "System Administration"`,
    '.SH NAME',
    `concierge-ga \\- ${escape(facts.summary)}`,
    '.SH SYNOPSIS',
    '.B concierge-ga',
    '[\\fIOPTIONS\\fR]',
    ...subcommands.flatMap(({ name, flags }) => ['.br', `.B concierge-ga ${name}`, [...flags.map((flag) => `[\\fB\\-\\-${flag}\\fR]`), '[\\fIOPTIONS\\fR]'].join(' ')]),
    '.SH DESCRIPTION',
    ...facts.description.flatMap((paragraph, index) => [...(index === 0 ? [] : ['.PP']), ...sentences(paragraph)]),
    '.PP',
    ...sentences(
      `The protocol, the command line and the configuration file are those of qemu-ga ${facts.compatibleWith}; the program can be called by that name.` +
        ' As a service it is started by udev when the virtio port comes, and by concierge-ga-channel.service for other channels.',
    ),
    '.SH OPTIONS',
    ...commandLineOptions.flatMap(option),
    '.SH COMMANDS',
    ...subcommands.flatMap(({ name, summary }) => ['.TP', `.B ${name}`, ...sentences(summary)]),
    '.SH CONFIGURATION',
    ...sentences(
      'The first of these files that is there is read; options win over it, lists add up. It is a key file:' +
        ' groups in brackets, key=value, comments in lines that begin with #. Keys are named as the long options.',
    ),
    ...configurationPaths.posix.flatMap((path) => ['.PP', `.I ${escape(path)}`]),
    ...(['general', 'concierge'] as const).flatMap((group) => [
      '.PP',
      `In the group \\fB[${group}]\\fR: ${escape(settingRows.filter(([, row]) => row.group === group).map(([, row]) => row.key).join(', '))}.`,
    ]),
    '.SH FILES',
    ...file('/etc/concierge-ga/policy.d/', 'Files of rules that say what a host may do.'),
    ...file('/etc/concierge-ga/generation.d/', 'Programs that are run once when the guest goes on from a snapshot or as a copy of another; /usr/share/concierge-ga/generation has ready ones.'),
    ...file('/etc/concierge-ga/fsfreeze-hook.d/', 'Programs that are run with freeze before, and with thaw after a freeze; /usr/share/concierge-ga/hooks has ready ones where the package brings any.'),
    ...file('/run/concierge-ga/', 'State of the service: which file systems are frozen, and the counter of file handles.'),
    ...file('/usr/share/concierge-ga/systemd/', 'Drop-ins for the service: a sandbox for each of the profiles observe, backup and manage, and one without guest-exec.'),
    '.SH SIGNALS',
    ...sentences('SIGTERM and SIGINT thaw what is frozen and end the agent. SIGHUP opens the log file anew and reads the rules of policy.d again, where there are any.'),
    '.SH EXIT STATUS',
    ...sentences('0 after SIGTERM or SIGINT, and for options that only print; 1 where something was wrong, with one line on standard error that says what.'),
    '.SH EXAMPLES',
    '.TP',
    '.B concierge\\-ga freeze \\-\\-dry\\-run',
    'What a freeze would do now, in which order, and what it would leave out.',
    '.TP',
    '.B systemctl status concierge\\-ga',
    'Whether the service runs, which port it serves, and its last warnings.',
    '.SH SEE ALSO',
    '.BR fsfreeze (8),',
    '.BR virsh (1),',
    '.BR systemctl (1)',
    '',
  ].join('\n');
}

function option({ short, long, argument, does }: CommandLineOption): readonly string[] {
  if (typeof does !== 'string' && does.row.alias === long) return [];
  const placeholder = typeof does === 'string' ? 'PATH' : (does.row.placeholder ?? '');
  const value = { none: '', required: `=\\fI${placeholder}\\fR`, optional: `[=\\fI${placeholder}\\fR]` }[argument];
  const names = [...(short === undefined ? [] : [`\\fB\\-${short}\\fR`]), `\\fB\\-\\-${escape(long)}\\fR${value}`];
  return ['.TP', names.join(', '), ...sentences(description(does))];
}

function description(does: CommandLineOption['does']): string {
  switch (does) {
    case 'config':
      return 'Read this configuration file, which must exist.';
    case 'version':
      return 'Print the version and end.';
    case 'help':
      return 'Print a summary of this page and end.';
    case 'dump':
      return 'Print the resulting configuration as a file that --config reads, and end.';
    default: {
      const { row, setting } = does;
      const fallback = setting === 'path' ? `${defaultPath('virtio-serial', 'posix') ?? ''}, or ${defaultPath('isa-serial', 'posix') ?? ''} for isa-serial` : row.fallback?.('posix');
      const isSaid = row.kind !== 'boolean' && row.kind !== 'list' && fallback !== undefined;
      return `${row.doc}${row.bare === undefined ? '' : ` The default path is ${row.bare}.`}${isSaid ? ` Default: ${String(fallback)}.` : ''}`;
    }
  }
}

const file = (path: string, text: string): readonly string[] => ['.TP', `.I ${escape(path)}`, ...sentences(text)];

/** One sentence per line, as man(7) wants it; none begins with a control character. */
const sentences = (text: string): readonly string[] =>
  escape(text)
    .split(/(?<=[.:;]) (?=[A-Z])/)
    .map((line) => (/^['.]/.test(line) ? `\\&${line}` : line));

const escape = (text: string): string => text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('`', '');
