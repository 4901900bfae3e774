// SPDX-License-Identifier: Apache-2.0
import { commandLineOptions, type CommandLineOption } from './command-line.ts';
import { versionLine } from './product.ts';
import { configurationPaths, defaultPath, type Platform } from './settings-table.ts';

export interface Subcommand {
  readonly name: string;
  readonly summary: string;
  readonly usage: readonly string[];
}

const width = 80;
const indent = 22;

/** The text of `--help`. */
export function helpText(program: string, platform: Platform, subcommands: readonly Subcommand[]): string {
  return [
    `Usage: ${program} [-m <method> -p <path>] [<options>]`,
    ...subcommands.slice(0, 1).map(() => `       ${program} <command> [<options>]`),
    versionLine,
    '',
    ...commandLineOptions.flatMap((option) => entry(option, platform)),
    ...(subcommands.length === 0 ? [] : ['', 'Commands, before any option:']),
    ...subcommands.flatMap(({ name, summary }) => columns(`  ${name}`, summary)),
    '',
  ].join('\n');
}

/** The text of `SUBCOMMAND --help`. */
export function subcommandHelp(program: string, { name, summary, usage }: Subcommand): string {
  return [
    ...usage.map((words, index) => `${index === 0 ? 'Usage:' : '      '} ${program} ${name} ${words}`),
    '',
    ...wrap(summary, width),
    '',
    ...wrap(`Options of the agent that say which machine and which configuration are meant (--config, --statedir, --backend, --policy-directory, --profile and so on) may follow: ${program} --help`, width),
    '',
  ].join('\n');
}

function entry(option: CommandLineOption, platform: Platform): readonly string[] {
  const { does } = option;
  if (typeof does !== 'string' && does.row.alias === option.long) return [];
  const name = option.short === undefined ? `      --${option.long}` : `  -${option.short}, --${option.long}`;
  const placeholder = typeof does === 'string' ? 'PATH' : (does.row.placeholder ?? '');
  const value = { none: '', required: `=${placeholder}`, optional: `[=${placeholder}]` }[option.argument];
  return columns(name + value, describe(does, platform));
}

function describe(does: CommandLineOption['does'], platform: Platform): string {
  if (does === 'config') return `Read this configuration file, which must exist. (default: $QGA_CONF, or the first that is there of ${configurationPaths[platform].join(', ')})`;
  if (does === 'version') return 'Print the version and end.';
  if (does === 'help') return 'Print this and end.';
  if (does === 'dump') return 'Print the resulting configuration as a file that --config reads, and end.';
  const { setting, row } = does;
  if (setting === 'path') {
    const defaults = ['virtio-serial', 'isa-serial'].map((method) => `${method}: ${defaultPath(method, platform) ?? ''}`);
    return `${row.doc} (default for ${defaults.join(', for ')})`;
  }
  const fallback = row.fallback?.(platform);
  if (row.bare !== undefined) return `${row.doc} (default path: ${row.bare})`;
  return row.kind === 'boolean' || row.kind === 'list' || fallback === undefined ? row.doc : `${row.doc} (default: ${String(fallback)})`;
}

function columns(name: string, text: string): readonly string[] {
  const lines = wrap(text, width - indent).map((line) => ' '.repeat(indent) + line);
  return name.length > indent - 2 ? [name, ...lines] : [name + (lines[0] ?? '').slice(name.length), ...lines.slice(1)];
}

function wrap(text: string, columnsWide: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columnsWide) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
