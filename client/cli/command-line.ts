// SPDX-License-Identifier: Apache-2.0
import type { FlagSyntax } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** Flags that may stand anywhere before `--`. */
export const globalFlags: readonly FlagSyntax[] = [
  { name: 'socket', placeholder: 'PATH', doc: 'The socket of the agent\'s port in QEMU, or of an agent that listens itself; also CONCIERGE_SOCKET.' },
  { name: 'vsock', placeholder: 'PATH:PORT', doc: 'A hybrid socket of Cloud Hypervisor or Firecracker, and the port in the guest.' },
  { name: 'via', placeholder: 'COMMAND', doc: "A program that takes a request as its last argument and prints the answer: 'virsh qemu-agent-command NAME'; also CONCIERGE_VIA." },
  { name: 'timeout', placeholder: 'SECONDS', doc: 'How long to wait for an answer; 5 by default, 0 for ever.' },
  { name: 'json', doc: 'Print what the agent answered, for programs.' },
  { name: 'help', doc: 'Print this, or with a subcommand what it is about, and end.' },
  { name: 'version', doc: 'Print the version and end.' },
];

export interface CommandLine {
  readonly subcommand: string | undefined;
  readonly words: readonly string[];
  readonly flags: ReadonlyMap<string, string>;
}

/**
 * Flags are `--name`, `--name value` or `--name=value`, and `-h`; after `--` everything is a word.
 *
 * @param flagsOf the flags of a subcommand
 * @throws UsageError
 */
export function readCommandLine(given: readonly string[], flagsOf: (subcommand: string) => readonly FlagSyntax[]): CommandLine {
  const flags = new Map<string, string>();
  const words: string[] = [];
  let subcommand: string | undefined;
  for (let at = 0; at < given.length; at += 1) {
    const word = given[at] ?? '';
    if (word === '--') {
      words.push(...given.slice(at + 1));
      break;
    }
    if (word === '-h' && subcommand !== 'exec') {
      flags.set('help', '');
      continue;
    }
    if (!word.startsWith('--')) {
      if (subcommand === undefined) subcommand = word;
      else words.push(word);
      continue;
    }
    const [, name = '', attached] = /^--([^=]*)(?:=([\s\S]*))?$/.exec(word) ?? [];
    // A subcommand may have its own meaning for a flag.
    const syntax = [...(subcommand === undefined ? [] : flagsOf(subcommand)), ...globalFlags].find((flag) => flag.name === name);
    if (syntax === undefined) throw new UsageError(`there is no flag --${name}${subcommand === undefined ? '' : ` of ${subcommand}`}`);
    if (syntax.placeholder === undefined) {
      if (attached !== undefined) throw new UsageError(`--${name} takes no value`);
      flags.set(name, '');
      continue;
    }
    const value = attached ?? given[(at += 1)];
    if (value === undefined) throw new UsageError(`--${name} needs a value: ${syntax.placeholder}`);
    flags.set(name, value);
  }
  return { subcommand, words, flags };
}
