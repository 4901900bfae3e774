// SPDX-License-Identifier: Apache-2.0
/**
 * Writes `docs/commands.md` from the schema, and the client's types (`client-types.ts`). With `--check` it writes nothing and fails where a file is
 * not what the schema says.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { leftOut, type BackendName } from '../adapters/left-out.ts';
import type { CommandSchema } from '../core/schema/command.ts';
import { commands } from '../core/schema/index.ts';
import type { AlternateType, EnumType, Members, SchemaType, StructType } from '../core/schema/types.ts';
import { clientTypes, typesPath } from './client-types.ts';

export const documentPath = fileURLToPath(new URL('../docs/commands.md', import.meta.url));

type Named = StructType | EnumType | AlternateType;

/** Types by name, in the order in which the document mentions them. */
class TypeIndex {
  readonly found = new Map<string, Named>();

  /** A type as text, with a link to where it is described. */
  mention(type: SchemaType): string {
    switch (type.kind) {
      case 'list':
        return `list of ${this.mention(type.of)}`;
      case 'struct':
      case 'enum':
      case 'alternate':
        return this.#link(type);
      case 'nothing':
        return '`{}`';
      case 'int':
      case 'uint64':
      case 'uint16':
      case 'number':
      case 'bool':
      case 'str':
        return words[type.kind];
      default:
        return type satisfies never;
    }
  }

  #link(type: Named): string {
    // An enumeration of one value is what tells the branches of a union apart: it says all there is to say.
    if (type.kind === 'enum' && type.values.length === 1) return `\`"${type.values.join()}"\``;
    this.found.set(type.name, this.found.get(type.name) ?? type);
    return `[${type.name}](#${type.name.toLowerCase()})`;
  }
}

const words = {
  int: 'integer', uint64: 'unsigned integer', uint16: 'unsigned integer (16 bit)', number: 'number', bool: 'boolean', str: 'string',
} as const;

/** A cell of a table, or text in a paragraph: a bar would end the cell. */
const cell = (text: string): string => text.replaceAll('|', '\\|');

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows.map((row) => row.map(cell))].map((row) => `| ${row.join(' | ')} |\n`).join('');

const windowsExists = existsSync(new URL('../adapters/windows/module.ts', import.meta.url));

const hasIt = (backend: BackendName, { needs }: CommandSchema): boolean => needs === undefined || !leftOut[backend].has(needs);
const mark = (yes: boolean): string => (yes ? 'yes' : '–');

const overview = (schema: CommandSchema): readonly string[] => [
  `[${schema.name}](#${schema.name.toLowerCase().replaceAll('.', '')})`,
  schema.since,
  mark(schema.whileFrozen),
  mark(schema.successResponse),
  mark(hasIt('linux', schema)),
  mark(hasIt('windows', schema)),
  mark(hasIt('fake', schema)),
];

const membersTable = (members: Members, types: TypeIndex, what: string): string =>
  table([what, 'type', 'meaning'], Object.entries(members).map(([name, { type, optional, doc }]) =>
    [`\`${name}\`${optional ? ', optional' : ''}`, types.mention(type), doc]));

function section(schema: CommandSchema, types: TypeIndex): string {
  const parts = [`### ${schema.name}\n`, `${schema.summary}\n`];
  if (Object.keys(schema.arguments).length > 0) parts.push(membersTable(schema.arguments, types, 'argument'));
  const answer = schema.successResponse ? `Answer: ${types.mention(schema.result)}.` : 'No answer on success.';
  const sentinel = schema.sentinel === true ? 'A byte 0xFF stands in front of it.' : '';
  parts.push(`${[answer, schema.resultDoc, sentinel].filter((text) => text !== '').join(' ')}\n`);
  if (schema.errors.length > 0) parts.push(table(['error', 'when'], schema.errors.map(([text, when]) => [`\`${text}\``, when])));
  parts.push(`Since ${schema.since}. ${schema.whileFrozen ? 'Answered' : 'Refused'} while frozen.`
    + `${schema.needs === undefined ? '' : ` Needs \`${schema.needs}\` of the backend.`}\n`);
  return parts.join('\n');
}

function typeSection(type: Named, types: TypeIndex): string {
  const values = (of: EnumType): string => of.values.map((value) => `\`${value}\``).join(', ');
  const head = `### ${type.name}\n\n`;
  if (type.kind === 'enum') return `${head}One of the strings ${values(type)}.\n`;
  if (type.kind === 'alternate') return `${head}Either ${types.mention(type.plain)} or one of the strings ${values(type.words)}.\n`;
  return head + membersTable(type.members, types, 'member');
}

/** The whole document. */
export function commandsDocument(): string {
  const all: readonly CommandSchema[] = commands;
  const types = new TypeIndex();
  const sections = all.map((schema) => section(schema, types)).join('\n');
  // A description may mention types that no command does itself: a map goes on over what is added meanwhile.
  const typeSections: string[] = [];
  for (const type of types.found.values()) typeSections.push(typeSection(type, types));
  return `# Commands

<!-- Made from core/schema by \`node scripts/docs-commands.ts\`; change the schema, not this file. -->

All ${all.filter(({ name, since }) => name.startsWith('guest-') && since !== '11.2').length} commands of qemu-ga 11.1, in the order of its schema, those that its development has for the next release (11.2), and those of Concierge itself. A command whose part of the
operating system a backend does not have does not exist there: guest-info does not list it, and it is answered with the error class
\`CommandNotFound\`. All other errors of commands are of the class \`GenericError\`; the tables of errors leave out those of the
arguments (\`Parameter 'NAME' is missing\` and its kin), and words in capitals stand for what is different each time. Integers are
exact over 64 bits.

*Since* is the release of qemu-ga that had a command first. *Frozen*: answered while file systems are frozen. *Answer*: whether there is
one on success.${windowsExists ? '' : ' The column of Windows says what its backend is going to have.'}

${table(['command', 'since', 'frozen', 'answer', 'Linux', 'Windows', 'fake'], all.map(overview))}
## The commands

${sections}
## Types

${typeSections.join('\n')}`;
}

function main(): void {
  for (const [path, wanted] of [[documentPath, commandsDocument()], [typesPath, clientTypes()]] as const) {
    if (!process.argv.includes('--check')) {
      writeFileSync(path, wanted);
      continue;
    }
    if (readFileSync(path, 'utf8') === wanted) continue;
    process.stderr.write(`${path} is not what the schema says: run node scripts/docs-commands.ts\n`);
    process.exitCode = 1;
  }
}

if (import.meta.main) main();
