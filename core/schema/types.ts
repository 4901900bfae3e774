// SPDX-License-Identifier: Apache-2.0
/**
 * The vocabulary in which commands are described as data. Validation, encoding, TypeScript types, `docs/commands.md`,
 * the host's client and the fuzz targets all derive from it.
 */

export { Base64Text, forgetSpare } from '../protocol/base64-text.ts';

/** Integers are `int` (int64), `uint64` or `uint16`; `number` is a double. Type names are those of error texts. */
export type SchemaType =
  | { readonly kind: 'int' }
  | { readonly kind: 'uint64' }
  | { readonly kind: 'uint16' }
  | { readonly kind: 'number' }
  | { readonly kind: 'bool' }
  | StrType
  | { readonly kind: 'nothing' }
  | ListType
  | StructType
  | EnumType
  | AlternateType;

export interface ListType<E extends SchemaType = SchemaType> {
  readonly kind: 'list';
  readonly of: E;
}

export interface EnumType<V extends string = string> {
  readonly kind: 'enum';
  readonly name: string;
  readonly values: readonly V[];
}

/** One of several JSON types: an integer or boolean branch beside an enumeration of strings. */
export interface AlternateType<P extends IntType | BoolType = IntType | BoolType, V extends string = string> {
  readonly kind: 'alternate';
  readonly name: string;
  readonly plain: P;
  readonly words: EnumType<V>;
}

export interface StructType<M extends Members = Members> {
  readonly kind: 'struct';
  readonly name: string;
  /** In schema order: the order of validation and of the documentation. */
  readonly members: M;
  /** The order in which qemu-ga 11.1 prints the members. */
  readonly wireOrder: readonly string[];
}

export interface Member<T extends SchemaType = SchemaType, O extends boolean = boolean> extends Marks {
  readonly type: T;
  readonly optional: O;
  readonly doc: string;
}

/** What a condition of the policy can be about. */
export type Judged = 'file' | 'program' | 'arguments' | 'environment' | 'user' | 'groups' | 'mountPoints' | 'size';

/** What else is told of an argument. */
export interface Marks {
  /** Which condition of the policy is about it. */
  readonly judged?: Judged;
  /** Text of it is no secret: the audit records it. Text without the mark is left out there. */
  readonly shown?: true;
}

export type Members = { readonly [name: string]: Member };

/**
 * `among`: all that makes sense, where it is text to the protocol and not an enumeration: other text is refused by the command, in its own words.
 * `base64`: as an argument a handler takes a `Base64Text` as well, as a result the client makes one: long data need not become a text.
 */
export interface StrType { readonly kind: 'str'; readonly base64?: true; readonly among?: readonly string[] }
export interface IntType { readonly kind: 'int' }
export interface BoolType { readonly kind: 'bool' }

export const int = { kind: 'int' } as const;
export const uint64 = { kind: 'uint64' } as const;
export const uint16 = { kind: 'uint16' } as const;
export const double = { kind: 'number' } as const;
export const bool = { kind: 'bool' } as const;
export const str = { kind: 'str' } as const;
export const base64 = { kind: 'str', base64: true } as const;
export const strAmong = (among: readonly string[]): StrType => ({ kind: 'str', among });
/** The result of a command that returns `{}`. */
export const nothing = { kind: 'nothing' } as const;

export const listOf = <const E extends SchemaType>(of: E): ListType<E> => ({ kind: 'list', of });

export const enumOf = <const V extends string>(name: string, values: readonly V[]): EnumType<V> => ({ kind: 'enum', name, values });

export const alternateOf = <const P extends IntType | BoolType, const V extends string>(
  name: string,
  plain: P,
  words: EnumType<V>,
): AlternateType<P, V> => ({ kind: 'alternate', name, plain, words });

/** A structure. `wireOrder` only where it differs from the order of the members. */
export const struct = <const M extends Members>(
  name: string,
  members: M,
  wireOrder: readonly (keyof M & string)[] = Object.keys(members),
): StructType<M> => ({ kind: 'struct', name, members, wireOrder });

export const required = <const T extends SchemaType>(type: T, doc: string, marks?: Marks): Member<T, false> => ({ type, optional: false, doc, ...marks });
export const optional = <const T extends SchemaType>(type: T, doc: string, marks?: Marks): Member<T, true> => ({ type, optional: true, doc, ...marks });

// -- what TypeScript makes of it -----------------------------------------------------------------------------

/** The value that a handler receives: every integer is an exact `bigint`. */
export type Argument<T> = T extends { kind: 'int' | 'uint64' | 'uint16' } ? bigint : Shape<T, 'argument'>;

/** The value that a handler answers: an integer may also be a safe `number`. */
export type Result<T> = T extends { kind: 'int' | 'uint64' | 'uint16' } ? bigint | number : Shape<T, 'result'>;

type Side = 'argument' | 'result';
type On<T, S extends Side> = S extends 'argument' ? Argument<T> : Result<T>;

type Shape<T, S extends Side> =
  T extends { kind: 'number' } ? number
  : T extends { kind: 'bool' } ? boolean
  : T extends { kind: 'str' } ? string
  : T extends { kind: 'nothing' } ? void
  : T extends ListType<infer E> ? readonly On<E, S>[]
  : T extends EnumType<infer V> ? V
  : T extends AlternateType<infer P, infer V> ? On<P, S> | V
  : T extends StructType<infer M> ? MembersShape<M, S>
  : never;

type MembersShape<M extends Members, S extends Side> = {
  readonly [K in keyof M as M[K]['optional'] extends false ? K : never]: On<M[K]['type'], S>;
} & {
  readonly [K in keyof M as M[K]['optional'] extends true ? K : never]?: On<M[K]['type'], S>;
};

export type Arguments<M extends Members> = MembersShape<M, 'argument'>;
