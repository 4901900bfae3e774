// SPDX-License-Identifier: Apache-2.0
import { commandLineOptions } from '../adapters/config/command-line.ts';
import { linuxChannels } from '../adapters/linux/channels/linux-channels.ts';
import { subcommands } from '../adapters/cli/subcommands/index.ts';
import { listedCommands } from '../adapters/cli/command-names.ts';

type Option = (typeof commandLineOptions)[number];

/** Words for bash: options, their values, commands. Lists are completed name by name, behind their last comma. */
export function bashCompletion(): string {
  const options = commandLineOptions.filter(({ does, long }) => typeof does === 'string' || does.row.alias !== long);
  const spellings = options.flatMap(({ short, long }) => [...(short === undefined ? [] : [`-${short}`]), `--${long}`]);
  return `# bash completion for concierge-ga(8), also under the name of qemu-ga

_concierge_ga_list() {
  local before=
  [[ $cur == *,* ]] && before=\${cur%,*},
  mapfile -t COMPREPLY < <(compgen -P "$before" -W "$1" -- "\${cur##*,}")
  compopt -o nospace
}

_concierge_ga() {
  local cur prev words cword split
  _init_completion -s || return
  case $prev in
${options.map(value).filter((line) => line !== '').join('\n')}
  esac
  $split && return
  case \${words[1]} in
${subcommands.map(({ name, flags }) => `    ${name}) [[ $cword -gt 1 ]] && { mapfile -t COMPREPLY < <(compgen -W '${flags.map((flag) => `--${flag}`).join(' ')} --config --statedir' -- "$cur"); return; } ;;`).join('\n')}
  esac
  local options='${spellings.join(' ')}'
  [[ $cword -eq 1 ]] && options+=' ${subcommands.map(({ name }) => name).join(' ')}'
  mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
}

complete -F _concierge_ga concierge-ga qemu-ga
`;
}

/** A branch that completes the option's value; '' where there is nothing to offer. */
function value(option: Option): string {
  const { short, long, does, argument } = option;
  if (argument !== 'required') return '';
  const pattern = `    ${[...(short === undefined ? [] : [`-${short}`]), `--${long}`].join(' | ')})`;
  const words = (list: readonly string[]): string => `${pattern} mapfile -t COMPREPLY < <(compgen -W '${list.join(' ')}' -- "$cur"); return ;;`;
  if (does === 'config') return `${pattern} _filedir; return ;;`;
  if (typeof does === 'string') return '';
  const { row, setting } = does;
  if (setting === 'blockRpcs' || setting === 'allowRpcs') return `${pattern} _concierge_ga_list '${['help', ...listedCommands('posix')].join(' ')}'; return ;;`;
  if (setting === 'method') return words(linuxChannels.methods.map(({ name }) => name));
  if (setting === 'backend') return words(['linux', 'fake']);
  if (row.choices !== undefined) return words(row.choices);
  if (row.placeholder === 'DIR') return `${pattern} _filedir -d; return ;;`;
  return row.placeholder === 'PATH' ? `${pattern} _filedir; return ;;` : `${pattern} return ;;`;
}
