// SPDX-License-Identifier: Apache-2.0
import { jsonNumber, jsonString } from '../core/protocol/json-text.ts';
import type { CommandSchema } from '../core/schema/command.ts';
import type { SchemaType } from '../core/schema/types.ts';

/** Parts of a request, in order: JSON text, and bytes that become base64 on the way out, so that they never are one long text. */
export type RequestParts = readonly (string | Uint8Array)[];

/**
 * JSON of a command's arguments by its schema. Members that are `undefined` are left out; one that is base64 may be given
 * as bytes.
 *
 * @throws TypeError for a value that the schema does not take: a mistake in the calling program
 */
export function encodeArguments(schema: CommandSchema, given: Readonly<Record<string, unknown>>): RequestParts {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(schema.arguments, name)) throw new TypeError(`${schema.name} has no argument '${name}'`);
  }
  const parts: (string | Uint8Array)[] = [];
  let text = '{';
  for (const [name, member] of Object.entries(schema.arguments)) {
    const value = given[name];
    if (value === undefined) {
      if (!member.optional) throw new TypeError(`${schema.name} needs the argument '${name}'`);
      continue;
    }
    text += `${text === '{' && parts.length === 0 ? '' : ','}"${name}":`;
    if (member.type.kind === 'str' && member.type.base64 === true && value instanceof Uint8Array) {
      parts.push(`${text}"`, value);
      text = '"';
    } else text += encode(member.type, value, name);
  }
  return [...parts, `${text}}`];
}

function encode(type: SchemaType, value: unknown, where: string): string {
  const wrong = (expected: string): TypeError => new TypeError(`argument '${where}' should be ${expected}`);
  switch (type.kind) {
    case 'int':
    case 'uint64':
    case 'uint16':
      if (typeof value === 'bigint' || (typeof value === 'number' && Number.isSafeInteger(value))) return value.toString();
      throw wrong('an integer');
    case 'number':
      if (typeof value !== 'number' || !Number.isFinite(value)) throw wrong('a number');
      return jsonNumber(value);
    case 'bool':
      if (typeof value !== 'boolean') throw wrong('a boolean');
      return String(value);
    case 'str':
    case 'enum':
      if (typeof value !== 'string') throw wrong('a string');
      return jsonString(value);
    case 'list':
      if (!Array.isArray(value)) throw wrong('an array');
      return `[${value.map((element, index) => encode(type.of, element, `${where}[${index}]`)).join(',')}]`;
    case 'struct': {
      if (typeof value !== 'object' || value === null) throw wrong('an object');
      const object = value as Readonly<Record<string, unknown>>;
      const members = Object.entries(type.members).filter(([name]) => object[name] !== undefined);
      return `{${members.map(([name, member]) => `"${name}":${encode(member.type, object[name], `${where}.${name}`)}`).join(',')}}`;
    }
    case 'alternate':
      return typeof value === 'string' ? encode(type.words, value, where) : encode(type.plain, value, where);
    case 'nothing':
      throw wrong('absent');
    default:
      return type satisfies never;
  }
}
