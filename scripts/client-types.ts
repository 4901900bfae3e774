// SPDX-License-Identifier: Apache-2.0
/**
 * `client/commands.ts` from the schema: what an editor tells of commands, arguments and members. `node scripts/docs-commands.ts` writes it.
 */
import { fileURLToPath } from 'node:url';

import type { CommandSchema } from '../core/schema/command.ts';
import { commands } from '../core/schema/index.ts';
import type { EnumType, Members, SchemaType, StructType } from '../core/schema/types.ts';

export const typesPath = fileURLToPath(new URL('../client/commands.ts', import.meta.url));

type Side = 'argument' | 'result';

const WIDTH = 140;

/** A comment of one line, or of as many as it takes. */
function comment(paragraphs: readonly string[], indent = ''): string {
  const texts = paragraphs.filter((text) => text !== '').map((text) => text.replaceAll('*/', String.raw`*\/`));
  const [only = ''] = texts;
  if (texts.length === 1 && only.length + indent.length + 7 <= WIDTH) return `${indent}/** ${only} */\n`;
  const lines = texts.flatMap((text, index) => [...(index === 0 ? [] : ['']), ...wrapped(text, WIDTH - indent.length - 3)]);
  return `${indent}/**\n${lines.map((line) => `${indent} *${line === '' ? '' : ` ${line}`}\n`).join('')}${indent} */\n`;
}

function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

const literals = (values: readonly string[]): string => values.map((value) => `'${value}'`).join(' | ');
const quoted = (name: string): string => (/^[a-z]\w*$/i.test(name) ? name : `'${name}'`);

/** Declarations in the order in which they are mentioned, each once: those of arguments take numbers where those of answers bring `bigint`. */
class Declarations {
  readonly #texts = new Map<string, string>();

  get texts(): readonly string[] {
    return [...this.#texts.values()];
  }

  mention(type: SchemaType, side: Side): string {
    switch (type.kind) {
      case 'int':
      case 'uint64':
      case 'uint16':
        return side === 'argument' ? 'bigint | number' : 'bigint';
      case 'number':
        return 'number';
      case 'bool':
        return 'boolean';
      case 'str':
        return type.among === undefined ? 'string' : literals(type.among);
      case 'nothing':
        return 'void';
      case 'list':
        return `readonly ${this.#asElement(type.of, side)}[]`;
      case 'enum':
        return type.values.length === 1 ? literals(type.values) : this.#enumeration(type);
      case 'alternate':
        return `${this.mention(type.plain, side)} | ${this.mention(type.words, side)}`;
      case 'struct':
        return this.#structure(type, side);
      default:
        return type satisfies never;
    }
  }

  #asElement(type: SchemaType, side: Side): string {
    const text = this.mention(type, side);
    return text.includes(' ') ? `(${text})` : text;
  }

  #enumeration({ name, values }: EnumType): string {
    this.#texts.set(name, `export type ${name} = ${literals(values)};\n`);
    return name;
  }

  #structure({ name, members }: StructType, side: Side): string {
    const called = side === 'argument' ? `${name}Input` : name;
    if (!this.#texts.has(called)) {
      // Its place is before that of the types of its members.
      this.#texts.set(called, '');
      this.#texts.set(called, `export interface ${called} {\n${this.members(members, side, '  ')}}\n`);
    }
    return called;
  }

  members(members: Members, side: Side, indent: string): string {
    return Object.entries(members).map(([name, { type, optional, doc }]) =>
      `${comment([doc], indent)}${indent}readonly ${quoted(name)}${optional ? '?' : ''}: ${this.mention(type, side)};\n`).join('');
  }
}

const sinceText = ({ since, whileFrozen, successResponse }: CommandSchema): string =>
  `Since ${since.startsWith('concierge') ? since : `qemu-ga ${since}`}. ${whileFrozen ? 'Answered' : 'Refused'} while frozen.${successResponse ? '' : ' Nothing is sent on success.'}`;

function entry(schema: CommandSchema, declarations: Declarations): string {
  const returns = schema.resultDoc === '' ? '' : `Answers: ${schema.resultDoc}`;
  const args = Object.keys(schema.arguments).length === 0 ? 'NoArguments' : `{\n${declarations.members(schema.arguments, 'argument', '      ')}    }`;
  return `${comment([schema.summary, returns, sinceText(schema)], '  ')}  readonly '${schema.name}': {\n    readonly arguments: ${args};\n`
    + `    readonly result: ${declarations.mention(schema.result, 'result')};\n  };\n`;
}

/** The whole file. */
export function clientTypes(): string {
  const declarations = new Declarations();
  const all: readonly CommandSchema[] = commands;
  const entries = all.map((schema) => entry(schema, declarations)).join('\n');
  return `// SPDX-License-Identifier: Apache-2.0
/*
 * Made from core/schema by \`node scripts/docs-commands.ts\`; change the schema, not this file.
 *
 * Integers are exact over 64 bits: answers bring \`bigint\`, arguments may be numbers where these are safe. Names are those of the wire.
 */

export type NoArguments = Readonly<Record<string, never>>;

/** Every command by its name: what it takes and what it answers. */
export interface Commands {
${entries}}

${declarations.texts.join('\n')}`;
}
