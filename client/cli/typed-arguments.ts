// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import { messageOf } from '../../core/errors/agent-error.ts';
import type { CommandSchema } from '../../core/schema/command.ts';
import { commands } from '../../core/schema/index.ts';
import type { SchemaType } from '../../core/schema/types.ts';
import { UsageError } from './usage-error.ts';

export const schemaOf = (name: string): CommandSchema | undefined => commands.find((command) => command.name === name);

/** `guest-file-open path=/etc/passwd mode=r`: words of a line, with quotes where blanks belong to one. */
export function wordsOf(line: string): readonly string[] {
  const words = line.matchAll(/(?:[^\s"']|"(?:[^"\\]|\\.)*"|'[^']*')+/g);
  return Array.from(words, ([word]) =>
    word.replaceAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'/g, (_all, double: string | undefined, single: string | undefined) => single ?? (double ?? '').replaceAll(/\\(.)/g, '$1')),
  );
}

/** `NAME=VALUE` words as the arguments that the schema wants. @throws UsageError */
export function typedArguments(schema: CommandSchema, words: readonly string[]): Record<string, unknown> {
  const given: Record<string, unknown> = {};
  for (const word of words) {
    const [, name = '', value = ''] = /^([^=]+)=([\s\S]*)$/.exec(word) ?? [];
    const member = Object.hasOwn(schema.arguments, name) ? schema.arguments[name] : undefined;
    if (member === undefined) {
      const names = Object.keys(schema.arguments);
      throw new UsageError(`'${word}' is no argument of ${schema.name}: ${names.length === 0 ? 'it takes none' : `write ${names.map((one) => `${one}=…`).join(' ')}`}`);
    }
    given[name] = typed(member.type, value, name);
  }
  return given;
}

function typed(type: SchemaType, text: string, name: string): unknown {
  switch (type.kind) {
    case 'int':
    case 'uint64':
    case 'uint16':
      if (!/^-?\d+$/.test(text)) throw new UsageError(`${name} is a whole number, not '${text}'`);
      return BigInt(text);
    case 'number':
      return Number(text);
    case 'bool':
      if (text !== 'true' && text !== 'false') throw new UsageError(`${name} is true or false, not '${text}'`);
      return text === 'true';
    case 'str':
      // What the protocol wants as base64 is typed as text.
      return name.endsWith('-b64') || name === 'input-data' || name === 'password' ? Buffer.from(text).toString('base64') : text;
    case 'enum':
      if (!type.values.includes(text)) throw new UsageError(`${name} is one of ${type.values.join(', ')}`);
      return text;
    case 'alternate':
      return type.words.values.includes(text) ? text : typed(type.plain, text, name);
    case 'list':
      if (text.startsWith('[')) return fromJson(text, name);
      return text === '' ? [] : text.split(',').map((one) => typed(type.of, one, name));
    case 'struct':
      return fromJson(text, name);
    case 'nothing':
      return undefined;
    default:
      return type satisfies never;
  }
}

function fromJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${name} is JSON: ${messageOf(error)}`);
  }
}

const wordsOfType = (type: SchemaType): readonly string[] => {
  if (type.kind === 'enum') return type.values;
  if (type.kind === 'alternate') return type.words.values;
  return type.kind === 'bool' ? ['true', 'false'] : [];
};

/**
 * What can stand at the end of a line, and the part of the line that it completes.
 *
 * @param own words that may stand first besides the commands, each with what may follow it
 */
export function completionsOf(line: string, own: Readonly<Record<string, readonly string[]>>): [readonly string[], string] {
  const begun = /\S*$/.exec(line)?.[0] ?? '';
  const before = wordsOf(line.slice(0, line.length - begun.length));
  const [first = ''] = before;
  const all = [...Object.keys(own), ...commands.map(({ name }) => name)];
  const following = Object.hasOwn(own, first) ? own[first] : undefined;
  let names = before.length === 0 ? all : (following ?? argumentsAfter(before, begun));
  if (first === 'help') names = before.length === 1 ? all : [];
  const fitting = names.filter((name) => name.startsWith(begun));
  // What is complete is followed by a blank; an argument waits for its value.
  return [fitting.map((name) => (fitting.length > 1 || name.endsWith('=') ? name : `${name} `)), begun];
}

function argumentsAfter([command = '', ...rest]: readonly string[], begun: string): readonly string[] {
  const schema = schemaOf(command);
  if (schema === undefined) return [];
  const [, name] = /^([^=]+)=/.exec(begun) ?? [];
  const member = name === undefined ? undefined : schema.arguments[name];
  if (member !== undefined) return wordsOfType(member.type).map((word) => `${name ?? ''}=${word}`);
  const given = new Set(rest.map((word) => word.split('=', 1)[0]));
  return Object.keys(schema.arguments).filter((one) => !given.has(one)).map((one) => `${one}=`);
}
