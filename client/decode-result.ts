// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type JsonValue } from '../core/protocol/value.ts';
import { Base64Text, type SchemaType } from '../core/schema/types.ts';
import { ClientError } from './client-error.ts';

/**
 * Turns a `return` value into the shape of the schema: integers as `bigint`, objects with the wire's member names.
 * Members that the schema does not know (a newer agent's) are left out; ones that it requires and that lack are an error.
 *
 * @param keepBytes a `Base64Text` stays what it is, where it would become the text that it was
 * @throws ClientError `garbage`, naming the place
 */
export function decodeResult(type: SchemaType, value: JsonValue, where: string, keepBytes = false): unknown {
  const wrong = (expected: string): ClientError => new ClientError('garbage', `${where} in the agent's answer is not ${expected}`);
  switch (type.kind) {
    case 'nothing':
      return undefined;
    case 'int':
    case 'uint64':
    case 'uint16':
      if (typeof value !== 'bigint') throw wrong('an integer');
      return value;
    case 'number':
      if (typeof value !== 'number' && typeof value !== 'bigint') throw wrong('a number');
      return Number(value);
    case 'bool':
      if (typeof value !== 'boolean') throw wrong('a boolean');
      return value;
    case 'str':
    case 'enum':
      if (value instanceof Base64Text) return keepBytes ? value : value.toString();
      // An unknown word of an enumeration is passed on: agents learn new ones.
      if (typeof value !== 'string') throw wrong('a string');
      return value;
    case 'list':
      if (!Array.isArray(value)) throw wrong('an array');
      return value.map((element: JsonValue, index) => decodeResult(type.of, element, `${where}[${index}]`, keepBytes));
    case 'struct': {
      if (!isJsonObject(value)) throw wrong('an object');
      const decoded: Record<string, unknown> = {};
      for (const [name, member] of Object.entries(type.members)) {
        const of = value.get(name);
        if (of !== undefined) decoded[name] = decodeResult(member.type, of, `${where}.${name}`, keepBytes);
        else if (!member.optional) throw new ClientError('garbage', `${where}.${name} is missing in the agent's answer`);
      }
      return decoded;
    }
    case 'alternate':
      return decodeResult(typeof value === 'string' ? type.words : type.plain, value, where, keepBytes);
    default:
      return type satisfies never;
  }
}
