// SPDX-License-Identifier: Apache-2.0
/** What JSON.parse gives. */
type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

interface Kind {
  readonly types: Set<string>;
  /** Lists of member names, each in the order in which they came. */
  readonly orders: string[][];
}

/** The member of an array has the path of the array and `[]`. */
export type Shape = ReadonlyMap<string, Kind>;

const typeOf = (value: Json): string => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);

/** What the values at each path of a document look like: their types, and their members with their order. */
export function shapeOf(value: Json, shape = new Map<string, Kind>(), path = ''): Shape {
  const kind = shape.get(path) ?? { types: new Set(), orders: [] };
  shape.set(path, kind);
  kind.types.add(typeOf(value));
  if (Array.isArray(value)) {
    for (const one of value as readonly Json[]) shapeOf(one, shape, `${path}[]`);
  } else if (typeof value === 'object' && value !== null) {
    kind.orders.push(Object.keys(value));
    for (const [key, member] of Object.entries(value)) shapeOf(member, shape, path === '' ? key : `${path}.${key}`);
  }
  return shape;
}

/**
 * What in `actual` the recorded shape does not have: a type, a member, an order of members. Members that only some
 * machines have are named in `known` by their path and type: `[].address.serial` → `string`.
 */
export function deviations(actual: Shape, recorded: Shape, known: Readonly<Record<string, string>> = {}): string[] {
  return [...actual].flatMap(([path, kind]) => {
    const expected = recorded.get(path);
    const types = expected?.types ?? new Set(known[path] === undefined ? [] : [known[path]]);
    const orders = expected?.orders ?? [];
    return [
      ...[...kind.types].filter((type) => !types.has(type)).map((type) => `${path}: ${type}, recorded ${[...types].join(' or ') || 'nowhere'}`),
      ...kind.orders.filter((order) => orders.length > 0 && !orders.some((one) => agree(order, one))).map((order) => `${path}: members in the order ${order.join(', ')}`),
    ];
  });
}

/** Whether the names that both lists have come in the same order. */
function agree(one: readonly string[], other: readonly string[]): boolean {
  const common = (of: readonly string[], also: readonly string[]): string => of.filter((name) => also.includes(name)).join();
  return common(one, other) === common(other, one);
}
