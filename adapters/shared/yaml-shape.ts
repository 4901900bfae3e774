// SPDX-License-Identifier: Apache-2.0
import { isMap, isScalar, isSeq, type ParsedNode } from 'yaml';

import { closestName } from '../../core/errors/closest-name.ts';

/** Where a file is read: collects what is wrong with it. */
export interface Reading {
  /** Notes a mistake at a node. */
  readonly wrong: (node: ParsedNode | null, sentence: string) => void;
  /** Where a node stands: `NAME:LINE:COLUMN`. */
  readonly placeOf: (node: ParsedNode | null) => string;
}

/** Reads one value from a node; notes what is wrong and answers nothing. */
export type Shape<T> = (node: ParsedNode | null, reading: Reading) => T | undefined;

function show(value: unknown): string {
  if (typeof value === 'string') return `'${value}'`;
  if (isSeq(value)) return 'a list';
  if (isMap(value)) return 'a mapping';
  return typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean' ? String(value) : 'nothing';
}

const isNothing = (node: ParsedNode | null): boolean => scalar(node) === null;

const scalar = (node: ParsedNode | null): unknown => (isScalar(node) ? node.value : node === null ? null : node);

function scalarShape<T>(expected: string, read: (value: unknown) => T | undefined): Shape<T> {
  return (node, { wrong }) => {
    const value = scalar(node);
    const result = read(value);
    if (result === undefined) wrong(node, `${show(value)} is not ${expected}`);
    return result;
  };
}

export const text = scalarShape('a text', (value) => (typeof value === 'string' ? value : undefined));
export const flag = scalarShape('true or false', (value) => (typeof value === 'boolean' ? value : undefined));
export const number = scalarShape('a number', (value) => (typeof value === 'number' || typeof value === 'bigint' ? Number(value) : undefined));
export const whole = scalarShape('a whole number', (value) => {
  const given = typeof value === 'bigint' ? Number(value) : value;
  return typeof given === 'number' && Number.isSafeInteger(given) ? given : undefined;
});
/** Exact beyond 2^53. */
export const big = scalarShape('a whole number', (value) => (typeof value === 'bigint' ? value : Number.isSafeInteger(value) ? BigInt(Number(value)) : undefined));

const timeUnits: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** `40s`, `1.5h`, `-10min`, 0: milliseconds. */
export const duration = scalarShape("a duration such as '40s', '500ms', '10min', '2h', '-1d'", (value) => {
  if (value === 0 || value === 0n) return 0;
  const [, amount, unit] = /^([+-]?\d+(?:\.\d+)?) ?(ms|s|min|h|d)$/.exec(typeof value === 'string' ? value : '') ?? [];
  return amount === undefined ? undefined : Number(amount) * (timeUnits[unit ?? ''] ?? 0);
});

const sizeUnits: Readonly<Record<string, number>> = { '': 1, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** `4 GiB`, `512KiB`, 100. */
export const size = scalarShape("a number of bytes such as '4 GiB', '512 KiB' or 100", (value) => {
  const [, amount, unit] = /^(\d+(?:\.\d+)?) ?(B|KiB|MiB|GiB|TiB)?$/.exec(typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'bigint' ? String(value) : '') ?? [];
  return amount === undefined ? undefined : Math.round(Number(amount) * (sizeUnits[unit ?? ''] ?? 0));
});

/** An ISO date and time: nanoseconds since 1970. */
export const instant = scalarShape("a time such as '2026-03-29T00:59:30Z'", (value) => {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n;
});

export const word = <const W extends string>(what: string, words: readonly W[]): Shape<W> => (node, { wrong }) => {
  const value = scalar(node);
  const found = words.find((one) => one === value);
  if (found === undefined) wrong(node, `${show(value)} is no ${what}${suggestion(String(value), words)}`);
  return found;
};

/** `: did you mean 'x'?`, or what there is. */
export function suggestion(given: string, names: readonly string[]): string {
  const meant = closestName(given, names);
  return meant === undefined ? `: there are ${names.join(', ')}` : `: did you mean '${meant}'?`;
}

export const listOf = <T>(element: Shape<T>): Shape<readonly T[]> => (node, reading) => {
  if (!isSeq(node)) {
    reading.wrong(node, isNothing(node) ? 'a list is missing here' : `${show(scalar(node))} is not a list`);
    return undefined;
  }
  return node.items.flatMap((item) => {
    const value = element(item, reading);
    return value === undefined ? [] : [value];
  });
};

export const mapOf = <T>(element: Shape<T>): Shape<Readonly<Record<string, T>>> => (node, reading) => {
  const members: Record<string, T> = {};
  for (const { key, value } of pairsOf(node, reading)) {
    const read = element(value, reading);
    if (read !== undefined) members[key] = read;
  }
  return members;
};

/** Members: a shape for one that may be missing, `required(shape)` for one that may not. */
export type MemberShapes = Readonly<Record<string, Shape<unknown> | RequiredMember<unknown>>>;

interface RequiredMember<T> {
  readonly shape: Shape<T>;
}

export const required = <T>(shape: Shape<T>): RequiredMember<T> => ({ shape });

type RecordOf<M extends MemberShapes> = {
  readonly [K in keyof M as M[K] extends RequiredMember<unknown> ? K : never]: M[K] extends RequiredMember<infer T> ? T : never;
} & {
  readonly [K in keyof M as M[K] extends RequiredMember<unknown> ? never : K]?: M[K] extends Shape<infer T> ? T : never;
};

/** @param what stands before the name of a missing or unknown member: `a mount` */
export const record = <const M extends MemberShapes>(what: string, members: M): Shape<RecordOf<M>> => (node, reading) => {
  const values: Record<string, unknown> = {};
  const names = Object.keys(members);
  let sound = true;
  for (const { key, keyNode, value } of pairsOf(node, reading)) {
    const member = Object.hasOwn(members, key) ? members[key] : undefined;
    if (member === undefined) {
      reading.wrong(keyNode, `${what} has no '${key}'${suggestion(key, names)}`);
      continue;
    }
    const read = (typeof member === 'function' ? member : member.shape)(value, reading);
    if (read === undefined) sound = false;
    else values[key] = read;
  }
  if (!isMap(node)) return undefined;
  const missing = names.filter((name) => typeof members[name] !== 'function' && !node.has(name));
  if (missing.length > 0) reading.wrong(node, `${what} needs ${missing.map((name) => `'${name}'`).join(', ')}`);
  return sound && missing.length === 0 ? (values as RecordOf<M>) : undefined;
};

/** A record whose other members depend on one of them. */
export const tagged = <T>(what: string, tag: string, shapes: Readonly<Record<string, Shape<T>>>): Shape<T> => (node, reading) => {
  if (!isMap(node)) {
    reading.wrong(node, `${show(scalar(node))} is not ${what}: write a mapping with '${tag}'`);
    return undefined;
  }
  const given = node.get(tag, true);
  const name = isScalar(given) ? String(given.value) : undefined;
  if (name === undefined) {
    reading.wrong(node, `${what} needs '${tag}': one of ${Object.keys(shapes).join(', ')}`);
    return undefined;
  }
  const shape = Object.hasOwn(shapes, name) ? shapes[name] : undefined;
  if (shape !== undefined) return shape(node, reading);
  reading.wrong(given as ParsedNode, `there is no '${tag}: ${name}'${suggestion(name, Object.keys(shapes))}`);
  return undefined;
};

/** A text where that is enough, else more. */
export const textOr = <T>(other: Shape<T>): Shape<T | string> => (node, reading) => (isScalar(node) && typeof node.value === 'string' ? node.value : other(node, reading));

interface Pair {
  readonly key: string;
  readonly keyNode: ParsedNode;
  readonly value: ParsedNode | null;
}

function pairsOf(node: ParsedNode | null, { wrong }: Reading): readonly Pair[] {
  if (!isMap(node)) {
    wrong(node, isNothing(node) ? 'a mapping is missing here' : `${show(scalar(node))} is not a mapping`);
    return [];
  }
  return node.items.map(({ key, value }) => ({ key: String(scalar(key)), keyNode: key, value }));
}

/** Turns what was read into something else. */
export const turned = <T, U>(shape: Shape<T>, into: (value: T) => U): Shape<U> => (node, reading) => {
  const value = shape(node, reading);
  return value === undefined ? undefined : into(value);
};
