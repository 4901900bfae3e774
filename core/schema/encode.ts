// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../errors/agent-error.ts';
import { jsonNumber, jsonString } from '../protocol/json-text.ts';
import type { ListType, SchemaType, StructType } from './types.ts';

/** What an integer may be. Numbers are compared and printed in a fraction of the time that bigints take: those that fit go that way. */
interface Range {
  readonly low: bigint;
  readonly high: bigint;
  /** The part of it that is exact as a number. */
  readonly safeLow: number;
  readonly safeHigh: number;
}

const range = (low: bigint, high: bigint): Range => ({
  low,
  high,
  safeLow: Math.max(Number(low), Number.MIN_SAFE_INTEGER),
  safeHigh: Math.min(Number(high), Number.MAX_SAFE_INTEGER),
});

const int64 = range(-(2n ** 63n), 2n ** 63n - 1n);
const uint64 = range(0n, 2n ** 64n - 1n);
const uint16 = range(0n, 65535n);

/** A value that the schema forbids; `where` grows on the way out, so that a right answer pays nothing for it. */
class Misfit extends Error {
  where = '';

  constructor(expected: string, value: unknown) {
    super(`should be ${expected}, but is ${describe(value)}`);
  }

  static within(error: unknown, where: string): unknown {
    if (error instanceof Misfit) error.where = where + error.where;
    return error;
  }
}

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
 *
 * @throws AgentError `internal error: WHERE.member[0] should be …`
 */
export function encodeResult(type: SchemaType, value: unknown, where: string): string {
  try {
    return encode(type, value);
  } catch (error) {
    if (error instanceof Misfit) throw AgentError.failed(`internal error: ${where}${error.where} ${error.message}`);
    throw error;
  }
}

function encode(type: SchemaType, value: unknown): string {
  switch (type.kind) {
    case 'nothing':
      return '{}';
    case 'int':
      return integer(value, int64);
    case 'uint64':
      return integer(value, uint64);
    case 'uint16':
      return integer(value, uint16);
    case 'number':
      if (typeof value !== 'number' || !Number.isFinite(value)) throw new Misfit('a finite number', value);
      return jsonNumber(value);
    case 'bool':
      if (typeof value !== 'boolean') throw new Misfit('a boolean', value);
      return value ? 'true' : 'false';
    case 'str':
      if (typeof value !== 'string') throw new Misfit('a string', value);
      return jsonString(value);
    case 'enum':
      if (typeof value !== 'string' || !type.values.includes(value)) throw new Misfit(`one of ${type.values.join(', ')}`, value);
      return `"${value}"`;
    case 'list':
      return encodeList(type, value);
    case 'struct':
      return encodeStruct(type, value);
    // An alternate: what is left, or this does not compile.
    default:
      return encode(typeof value === 'string' ? type.words : type.plain, value);
  }
}

function integer(value: unknown, { low, high, safeLow, safeHigh }: Range): string {
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number === 'number' && Number.isInteger(number) && number >= safeLow && number <= safeHigh) return `${number}`;
  if (typeof value !== 'bigint' || value < low || value > high) throw new Misfit(`an integer from ${low} to ${high}`, value);
  return value.toString();
}

function encodeList(type: ListType, value: unknown): string {
  if (!Array.isArray(value)) throw new Misfit('an array', value);
  let text = '[';
  for (let index = 0; index < value.length; index += 1) {
    try {
      text += (index === 0 ? '' : ', ') + encode(type.of, value[index]);
    } catch (error) {
      throw Misfit.within(error, `[${index}]`);
    }
  }
  return `${text}]`;
}

function encodeStruct(type: StructType, value: unknown): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Misfit(`a ${type.name}`, value);
  const object = value as Readonly<Record<string, unknown>>;
  let text = '';
  for (const name of type.wireOrder) {
    const member = type.members[name];
    const of = object[name];
    if (member === undefined) continue;
    try {
      if (of !== undefined) text += `${text === '' ? '"' : ', "'}${name}": ${encode(member.type, of)}`;
      else if (!member.optional) throw new Misfit('present', of);
    } catch (error) {
      throw Misfit.within(error, `.${name}`);
    }
  }
  for (const name in object) {
    if (!Object.hasOwn(type.members, name)) throw Misfit.within(new Misfit('absent', object[name]), `.${name}`);
  }
  return `{${text}}`;
}
