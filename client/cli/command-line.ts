// SPDX-License-Identifier: Apache-2.0
import { closestName } from '../../core/errors/closest-name.ts';
import type { FlagSyntax } from './terminal.ts';
import { UsageError } from './usage-error.ts';

/** Flags that may stand anywhere before `--`. */
export const globalFlags: readonly FlagSyntax[] = [
  { name: 'socket', placeholder: 'PATH', doc: 'The socket of the agent\'s port in QEMU, or of an agent that listens itself; also CONCIERGE_SOCKET.' },
  { name: 'vsock', placeholder: 'PATH:PORT', doc: 'A hybrid socket of Cloud Hypervisor or Firecracker, and the port in the guest.' },
  { name: 'via', placeholder: 'COMMAND', doc: "A program that takes a request as its last argument and prints the answer: 'virsh qemu-agent-command NAME'; also CONCIERGE_VIA." },
  { name: 'libvirt', placeholder: 'NAME', doc: "A domain of libvirt, by name, UUID or number, or with a pattern all that run: 'web*'; also CONCIERGE_LIBVIRT." },
  { name: 'connect', placeholder: 'URI', doc: 'Which libvirt: qemu:///system without, qemu:///session, qemu+ssh://HOST/system; also LIBVIRT_DEFAULT_URI.' },
  { name: 'proxmox', placeholder: 'NODE/VMID', doc: 'A guest of Proxmox VE; also CONCIERGE_PROXMOX. Its API token is in CONCIERGE_PROXMOX_TOKEN or a file.' },
  { name: 'url', placeholder: 'URL', doc: 'Which Proxmox VE: https://NODE:8006 without; also CONCIERGE_PROXMOX_URL.' },
  { name: 'token-file', placeholder: 'FILE', doc: 'A file that only you may read, with USER@REALM!NAME=SECRET in it; also CONCIERGE_PROXMOX_TOKEN_FILE.' },
  { name: 'fingerprint', placeholder: 'SHA256', doc: 'Trust this certificate of Proxmox VE and no other; also CONCIERGE_PROXMOX_FINGERPRINT.' },
  { name: 'guest', placeholder: 'NAME', doc: "A guest of the list, by name; several as a,b or with a pattern: 'web*'." },
  { name: 'all', doc: 'All guests of the list.' },
  { name: 'guests', placeholder: 'FILE', doc: 'The list of guests: ~/.config/concierge-ctl/guests.conf or /etc/concierge-ctl/guests.conf without; also CONCIERGE_GUESTS.' },
  { name: 'parallel', placeholder: 'NUMBER', doc: 'How many guests are asked side by side; 16 without.' },
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
  try {
    for (let at = 0; at < given.length; at += 1) {
      const word = given[at] ?? '';
      if (word === '--') {
        words.push(...given.slice(at + 1));
        break;
      }
      const own = subcommand === undefined ? [] : flagsOf(subcommand);
      if (words.length === 0 && /^-[a-zA-Z]/.test(word) && own.some(({ letter }) => letter !== undefined)) {
        at = readLetters(word, given, at, own, flags);
        continue;
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
      const all = [...own, ...globalFlags];
      const syntax = all.find((flag) => flag.name === name);
      if (syntax === undefined) throw unknownFlag(name, all, subcommand);
      if (syntax.placeholder === undefined) {
        if (attached !== undefined) throw new UsageError(`--${name} takes no value`);
        flags.set(name, '');
        continue;
      }
      const value = attached ?? given[(at += 1)];
      if (value === undefined) throw new UsageError(`--${name} needs a value: ${syntax.placeholder}`);
      setValue(flags, syntax, value);
    }
  } catch (error) {
    throw UsageError.of(error, subcommand);
  }
  return { subcommand, words, flags };
}

function unknownFlag(given: string, flags: readonly FlagSyntax[], subcommand: string | undefined): UsageError {
  const meant = closestName(given, flags.map(({ name }) => name));
  return new UsageError(`there is no flag --${given}${subcommand === undefined ? '' : ` of ${subcommand}`}${meant === undefined ? '' : `; did you mean --${meant}?`}`);
}

/** `-it`, `-u NAME`, `-uNAME`. Answers where the last word of it stands. @throws UsageError */
function readLetters(word: string, given: readonly string[], at: number, own: readonly FlagSyntax[], flags: Map<string, string>): number {
  for (let index = 1; index < word.length; index += 1) {
    const letter = word.charAt(index);
    const syntax = own.find((flag) => flag.letter === letter);
    if (syntax === undefined) throw new UsageError(`there is no flag -${letter}`);
    if (syntax.placeholder === undefined) {
      flags.set(syntax.name, '');
      continue;
    }
    const attached = word.slice(index + 1);
    const value = attached === '' ? given[at + 1] : attached;
    if (value === undefined) throw new UsageError(`-${letter} needs a value: ${syntax.placeholder}`);
    setValue(flags, syntax, value);
    return attached === '' ? at + 1 : at;
  }
  return at;
}

function setValue(flags: Map<string, string>, { name, isList }: FlagSyntax, value: string): void {
  const before = isList === true ? flags.get(name) : undefined;
  flags.set(name, before === undefined ? value : `${before}\0${value}`);
}
