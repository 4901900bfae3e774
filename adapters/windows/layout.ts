// SPDX-License-Identifier: Apache-2.0
/**
 * Structures of the Windows headers as data: sizes and offsets that the tests compare with what a C compiler makes of
 * the headers (`test/windows/host/layout.test.ts`). All are those of 64-bit Windows.
 */

import { koffi, type Pointer } from './koffi.ts';

/** `wideN`: UTF-16 text in room for N characters; `bytesN`: N bytes as they are. */
export type FieldType = 'u8' | 'u16' | 'u32' | 'i32' | 'u64' | 'i64' | 'pointer' | `wide${number}` | `bytes${number}`;

/** Name as in C, nested ones with dots: `Address.lpSockaddr`. */
export type Fields = Readonly<Record<string, readonly [offset: number, type: FieldType]>>;

const checked: unique symbol = Symbol('a layout that the tests compare');

export interface Layout<F extends Fields = Fields> {
  /** Only `layout` gives it: there is no other way to one. */
  readonly [checked]: true;
  /** The type in C: `MIB_IF_ROW2`, `struct sockaddr_in`. */
  readonly name: string;
  readonly header: string;
  readonly size: number;
  readonly fields: F;
}

type ValueOf<T extends FieldType> = T extends 'u64' | 'i64' | 'pointer' ? bigint
  : T extends `wide${number}` ? string
  : T extends `bytes${number}` ? Buffer
  : number;

export type ValuesOf<F extends Fields> = { readonly [Name in keyof F]: ValueOf<F[Name][1]> };

/** Every layout there is, for the test that compares them. */
export const layouts: Layout[] = [];

export function layout<const F extends Fields>(name: string, header: string, size: number, fields: F): Layout<F> {
  const made: Layout<F> = { [checked]: true, name, header, size, fields };
  layouts.push(made);
  return made;
}

const widths: Readonly<Record<string, number>> = { u8: 1, u16: 2, u32: 4, i32: 4, u64: 8, i64: 8, pointer: 8 };

/** How many bytes a field has. */
export function fieldSize(type: FieldType): number {
  const width = widths[type];
  if (width !== undefined) return width;
  return type.startsWith('wide') ? 2 * Number(type.slice(4)) : Number(type.slice(5));
}

/** The fields of a structure that begins at `start` of `memory`. */
export function readFields<F extends Fields>({ fields }: Layout<F>, memory: Buffer, start = 0): ValuesOf<F> {
  const values: Record<string, unknown> = {};
  for (const [name, [offset, type]] of Object.entries(fields)) values[name] = readField(memory, start + offset, type);
  return values as ValuesOf<F>;
}

function readField(memory: Buffer, at: number, type: FieldType): unknown {
  switch (type) {
    case 'u8': return memory.readUInt8(at);
    case 'u16': return memory.readUInt16LE(at);
    case 'u32': return memory.readUInt32LE(at);
    case 'i32': return memory.readInt32LE(at);
    case 'u64':
    case 'pointer': return memory.readBigUInt64LE(at);
    case 'i64': return memory.readBigInt64LE(at);
    default: {
      const bytes = memory.subarray(at, at + fieldSize(type));
      return type.startsWith('wide') ? textOf(bytes) : Buffer.from(bytes);
    }
  }
}

/** What lies in some memory from an address on; `undefined` where that is not in it. */
export function bytesWithin(memory: Buffer, address: Pointer): Buffer | undefined {
  const at = address - koffi().address(memory);
  return at < 0n || at >= BigInt(memory.length) ? undefined : memory.subarray(Number(at));
}

/** UTF-16 up to the first zero character. */
export function textOf(bytes: Buffer): string {
  const text = bytes.toString('utf16le');
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

/** Texts one after the other, each with a zero character, and one more at the end (REG_MULTI_SZ and its like). */
export const textsOf = (bytes: Buffer): readonly string[] => bytes.toString('utf16le').split('\0').filter((text) => text !== '');

/** UTF-16 with its zero character. */
export const wide = (text: string): Buffer => Buffer.from(`${text}\0`, 'utf16le');

/** A new structure with these fields, zeros elsewhere. */
export function structure<F extends Fields>(of: Layout<F>, values: Partial<ValuesOf<F>> = {}): Buffer {
  const memory = Buffer.alloc(of.size);
  writeFields(of, memory, values);
  return memory;
}

export function writeFields<F extends Fields>({ name: owner, fields }: Layout<F>, memory: Buffer, values: Partial<ValuesOf<F>>): void {
  for (const [name, value] of Object.entries(values)) {
    const field = fields[name];
    if (field === undefined) throw new TypeError(`${owner} has no field ${name}`);
    writeField(memory, field[0], field[1], value);
  }
}

function writeField(memory: Buffer, at: number, type: FieldType, value: unknown): void {
  switch (type) {
    case 'u8': memory.writeUInt8(value as number, at); break;
    case 'u16': memory.writeUInt16LE(value as number, at); break;
    case 'u32': memory.writeUInt32LE((value as number) >>> 0, at); break;
    case 'i32': memory.writeInt32LE(value as number, at); break;
    case 'u64':
    case 'pointer': memory.writeBigUInt64LE(BigInt.asUintN(64, value as bigint), at); break;
    case 'i64': memory.writeBigInt64LE(value as bigint, at); break;
    default: {
      const bytes = typeof value === 'string' ? wide(value) : (value as Buffer);
      if (bytes.length > fieldSize(type)) throw new RangeError(`${bytes.length} bytes do not fit into ${type}`);
      bytes.copy(memory, at);
    }
  }
}
