import { AgentError } from '../errors/agent-error.ts';
import { jsonNumber, jsonString } from '../protocol/json-text.ts';
import type { SchemaType, StructType } from './types.ts';

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

const mismatch = (where: string, expected: string, value: unknown): AgentError =>
  AgentError.failed(`internal error: ${where} should be ${expected}, but is ${describe(value)}`);

const describe = (value: unknown): string => {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
      return `${typeof value} ${String(value).slice(0, 64)}`;
    default:
      return value === undefined ? 'absent' : `a value of type ${typeof value}`;
  }
};

/**
 * Prints a handler's answer as the schema says: members in qemu-ga's wire order, integers exact, absent members left
 * out. What the schema forbids (a backend's mistake) becomes an error that names the place, not a malformed answer.
 */
export function encodeResult(type: SchemaType, value: unknown, where: string): string {
  switch (type.kind) {
    case 'nothing':
      return '{}';
    case 'int':
      return integer(value, INT64_MIN, INT64_MAX, where);
    case 'uint64':
      return integer(value, 0n, UINT64_MAX, where);
    case 'uint16':
      return integer(value, 0n, 65535n, where);
    case 'number':
      if (typeof value !== 'number' || !Number.isFinite(value)) throw mismatch(where, 'a finite number', value);
      return jsonNumber(value);
    case 'bool':
      if (typeof value !== 'boolean') throw mismatch(where, 'a boolean', value);
      return value ? 'true' : 'false';
    case 'str':
      if (typeof value !== 'string') throw mismatch(where, 'a string', value);
      return jsonString(value);
    case 'enum':
      if (typeof value !== 'string' || !type.values.includes(value)) throw mismatch(where, `one of ${type.values.join(', ')}`, value);
      return `"${value}"`;
    case 'list':
      if (!Array.isArray(value)) throw mismatch(where, 'an array', value);
      return `[${value.map((element, index) => encodeResult(type.of, element, `${where}[${index}]`)).join(', ')}]`;
    case 'struct':
      return encodeStruct(type, value, where);
    case 'alternate':
      return encodeResult(typeof value === 'string' ? type.words : type.plain, value, where);
    default:
      return type satisfies never;
  }
}

function integer(value: unknown, low: bigint, high: bigint, where: string): string {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= low) {
    if (value > high) throw mismatch(where, `an integer from ${low} to ${high}`, value);
    return value === 0 ? '0' : String(value);
  }
  if (typeof value !== 'bigint' || value < low || value > high) throw mismatch(where, `an integer from ${low} to ${high}`, value);
  return value.toString();
}

function encodeStruct(type: StructType, value: unknown, where: string): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw mismatch(where, `a ${type.name}`, value);
  const object = value as Readonly<Record<string, unknown>>;
  let text = '';
  for (const name of type.wireOrder) {
    const member = type.members[name];
    const of = object[name];
    if (member === undefined) continue;
    if (of === undefined) {
      if (!member.optional) throw mismatch(`${where}.${name}`, 'present', of);
      continue;
    }
    text += `${text === '' ? '' : ', '}"${name}": ${encodeResult(member.type, of, `${where}.${name}`)}`;
  }
  for (const name in object) {
    if (!Object.hasOwn(type.members, name)) throw mismatch(`${where}.${name}`, 'absent', object[name]);
  }
  return `{${text}}`;
}
