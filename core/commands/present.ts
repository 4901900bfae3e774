// SPDX-License-Identifier: Apache-2.0
/** `undefined` members become absent ones. */
export type Present<T> = {
  readonly [K in keyof T as undefined extends T[K] ? never : K]: T[K];
} & {
  readonly [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

/** The same object without the members that are `undefined`: how a port's optional members reach the wire under their names. */
export function present<const T extends object>(members: T): Present<T> {
  // Of a list of hundreds most have all of them: then there is nothing to copy.
  for (const name in members) if (members[name] === undefined) return withoutAbsent(members) as Present<T>;
  return members;
}

function withoutAbsent(members: object): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(members)) if (value !== undefined) kept[name] = value;
  return kept;
}
