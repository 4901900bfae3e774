// SPDX-License-Identifier: Apache-2.0
import type { RunSubcommand, SubcommandEntry } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';
import { globalFlags } from '../command-line.ts';

const flagWords = (flags: readonly { readonly name: string }[]): string => flags.map(({ name }) => `--${name}`).join(' ');

const bash = (subcommands: readonly SubcommandEntry[]): string => `# Completion of concierge-ctl for bash: concierge-ctl completion bash >/etc/bash_completion.d/concierge-ctl
_concierge_ctl() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} subcommand= index
  for ((index = 1; index < COMP_CWORD; index++)); do
    case \${COMP_WORDS[index]} in
${subcommands.map(({ name }) => `      ${name}) subcommand=${name} ;;`).join('\n')}
    esac
    [ -n "$subcommand" ] && break
  done
  case $previous in
    --socket|--guests|--token-file|--output) COMPREPLY=($(compgen -f -- "$word")); return ;;
    --guest) COMPREPLY=($(compgen -W "$(concierge-ctl guests 2>/dev/null)" -- "$word")); return ;;
    --libvirt) COMPREPLY=($(compgen -W "$(concierge-ctl --libvirt '*' guests 2>/dev/null)" -- "$word")); return ;;
  esac
  case $subcommand in
    '') COMPREPLY=($(compgen -W '${subcommands.map(({ name }) => name).join(' ')} ${flagWords(globalFlags)}' -- "$word")) ;;
${subcommands.map(({ name, flags }) => `    ${name}) COMPREPLY=($(compgen -W '${`${flagWords(flags)} --json${name === 'cp' ? ' guest:/' : ''}${name === 'completion' ? ' bash zsh fish' : ''}`.trim()}' -- "$word")${name === 'cp' ? ' $(compgen -f -- "$word")' : ''}) ;;`).join('\n')}
  esac
}
complete -F _concierge_ctl concierge-ctl
`;

const scripts: Readonly<Record<string, (subcommands: readonly SubcommandEntry[]) => string>> = {
  bash,
  zsh: (subcommands) => `#compdef concierge-ctl\n# Completion of concierge-ctl for zsh, by way of the one for bash.\nautoload -U +X bashcompinit && bashcompinit\n${bash(subcommands)}`,
  fish: (subcommands) => `# Completion of concierge-ctl for fish.
complete -c concierge-ctl -n __fish_use_subcommand -f
${subcommands.map(({ name, summary }) => `complete -c concierge-ctl -n __fish_use_subcommand -a ${name} -d '${summary.replaceAll("'", '’')}'`).join('\n')}
${subcommands.flatMap(({ name, flags }) => flags.map((flag) => `complete -c concierge-ctl -n '__fish_seen_subcommand_from ${name}' -l ${flag.name}`)).join('\n')}
complete -c concierge-ctl -l guest -x -a '(concierge-ctl guests 2>/dev/null)'
complete -c concierge-ctl -l libvirt -x -a "(concierge-ctl --libvirt '*' guests 2>/dev/null)"
${globalFlags.map((flag) => `complete -c concierge-ctl -l ${flag.name}${flag.placeholder === undefined ? '' : ' -r'}`).join('\n')}
`,
};

export const run: RunSubcommand = async ({ words, print, subcommands }) => {
  const [shell = ''] = words;
  const script = Object.hasOwn(scripts, shell) ? scripts[shell] : undefined;
  if (script === undefined) throw new UsageError(`say for which shell: ${Object.keys(scripts).join(', ')}`);
  print(script(subcommands));
  return 0;
};
