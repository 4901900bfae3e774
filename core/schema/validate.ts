// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../errors/agent-error.ts';
import { Base64Text } from '../protocol/base64-text.ts';
import type { JsonObject, JsonValue } from '../protocol/value.ts';
import type { AlternateType, Member, Members, SchemaType } from './types.ts';

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

const invalidType = (name: string, expected: string): AgentError =>
  AgentError.failed(`Invalid parameter type for '${name}', expected: ${expected}`);

/**
 * Checks the arguments of a command in schema order and answers them as a plain object with exact integers.
 * The first problem wins; members that are not declared are looked for last (qemu-ga 11.1's order and texts).
 *
 * @throws AgentError `Parameter 'NAME' is missing`, `Invalid parameter type for 'NAME', expected: …` and their kin
 */
export function validateArguments(members: Members, given: JsonObject): Record<string, unknown> {
  return validateMembers(members, given, '');
}

function validateMembers(members: Members, given: JsonObject, prefix: string): Record<string, unknown> {
  const checked: Record<string, unknown> = {};
  let seen = 0;
  for (const name in members) {
    const member = members[name] as Member;
    const value = given.get(name);
    if (value === undefined) {
      if (!member.optional) throw AgentError.failed(`Parameter '${prefix}${name}' is missing`);
      continue;
    }
    seen += 1;
    checked[name] = validateValue(member.type, value, prefix + name);
  }
  if (seen !== given.size) {
    for (const name of given.keys()) {
      if (!Object.hasOwn(members, name)) throw AgentError.failed(`Parameter '${prefix}${name}' is unexpected`);
    }
  }
  return checked;
}

function validateValue(type: SchemaType, value: JsonValue, name: string): unknown {
  switch (type.kind) {
    case 'int':
      if (typeof value !== 'bigint' || value < INT64_MIN || value > INT64_MAX) throw invalidType(name, 'integer');
      return value;
    case 'uint64':
    case 'uint16':
      // A negative integer is taken as its two's complement, like the reference does.
      if (typeof value !== 'bigint') throw AgentError.failed(`Parameter '${name}' expects uint64`);
      return BigInt.asUintN(64, value);
    case 'number':
      if (typeof value !== 'number' && typeof value !== 'bigint') throw invalidType(name, 'number');
      return Number(value);
    case 'bool':
      if (typeof value !== 'boolean') throw invalidType(name, 'boolean');
      return value;
    case 'str':
      if (value instanceof Base64Text) return type.base64 === true ? value : value.toString();
      if (typeof value !== 'string') throw invalidType(name, 'string');
      return value;
    case 'enum':
      if (typeof value !== 'string') throw invalidType(name, 'string');
      if (!type.values.includes(value)) throw AgentError.failed(`Parameter '${name}' does not accept value '${value}'`);
      return value;
    case 'list':
      if (!Array.isArray(value)) throw invalidType(name, 'array');
      return value.map((element: JsonValue, index) => validateValue(type.of, element, `${name}[${index}]`));
    case 'struct':
      if (!(value instanceof Map)) throw invalidType(name, 'object');
      return validateMembers(type.members, value, `${name}.`);
    case 'nothing':
      throw invalidType(name, 'null');
    // What is left, or this does not compile.
    default:
      return validateAlternate(type, value, name);
  }
}

function validateAlternate(type: AlternateType, value: JsonValue, name: string): unknown {
  if (typeof value === 'string') return validateValue(type.words, value, name);
  const takesNumbers = type.plain.kind === 'int';
  if (takesNumbers && (typeof value === 'bigint' || typeof value === 'number')) return validateValue(type.plain, value, name);
  if (!takesNumbers && typeof value === 'boolean') return value;
  throw invalidType(name, type.name);
}
