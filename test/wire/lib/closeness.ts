// SPDX-License-Identifier: Apache-2.0
/** What JSON.parse gives. */
type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** How far a number may lie outside of what the other agent said before and after; by the last name in its path. */
const slack: Readonly<Record<string, number>> = {
  // Ticks of the kernel's clock in milliseconds; idle and iowait are corrected backwards now and then (proc_stat(5)).
  idle: 1000,
  iowait: 1000,
  // Other programs write and delete.
  'used-bytes': 2 ** 30,
  'total-bytes': 2 ** 30,
  // Requests under way: any number.
  'ios-pgr': Infinity,
};

const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);
const isObject = (value: Json | undefined): value is { readonly [key: string]: Json } => typeof value === 'object' && value !== null && !isList(value);

/** What tells the elements of a list apart: the order of directories is no order. */
const names = ['mountpoint', 'name', 'cpu', 'logical-id', 'phys-index', 'user'] as const;
function nameOf(value: Json): string | undefined {
  if (!isObject(value)) return undefined;
  const name = names.find((one) => value[one] !== undefined);
  return name === undefined ? undefined : `${name}=${JSON.stringify(value[name])}`;
}

/** A place where two agents differ, and how for whoever reads it. */
export interface Deviation {
  readonly place: string;
  readonly detail: string;
}

const deviation = (place: string, detail = ''): Deviation => ({ place, detail });

/**
 * Where `ours` is not what another agent said just before and just after: `[]` stands for the elements of a
 * list. What moves has to lie between the two; members have to come in the same order.
 */
export function farFrom(ours: Json | undefined, before: Json | undefined, after: Json | undefined, path = ''): Deviation[] {
  if (ours === undefined) return [deviation(`${path} only theirs`)];
  if (before === undefined || after === undefined) return [deviation(`${path} only ours`, JSON.stringify(ours))];
  if (isObject(ours) && isObject(before) && isObject(after)) return objects(ours, before, after, path);
  if (isList(ours) && isList(before) && isList(after)) return lists(ours, before, after, path);
  if (typeof ours === 'number' && typeof before === 'number' && typeof after === 'number') {
    const room = slack[/[^.[\]]*$/.exec(path)?.[0] ?? ''] ?? 0;
    const isBetween = ours >= Math.min(before, after) - room && ours <= Math.max(before, after) + room;
    return isBetween ? [] : [deviation(path, `${ours} is not between ${before} and ${after}`)];
  }
  return ours === before || ours === after ? [] : [deviation(path, `${JSON.stringify(ours)} instead of ${JSON.stringify(before)}`)];
}

function objects(ours: { readonly [key: string]: Json }, before: { readonly [key: string]: Json }, after: { readonly [key: string]: Json }, path: string): Deviation[] {
  const [one, other] = [Object.keys(ours), Object.keys(before)];
  const common = (of: readonly string[], also: readonly string[]): string => of.filter((key) => also.includes(key)).join();
  const order = common(one, other) === common(other, one) ? [] : [deviation(`${path} order of members`, one.join())];
  const inside = [...new Set([...one, ...other])].flatMap((key) => farFrom(ours[key], before[key], after[key], path === '' ? key : `${path}.${key}`));
  return [...order, ...inside];
}

function lists(ours: readonly Json[], before: readonly Json[], after: readonly Json[], path: string): Deviation[] {
  const place = `${path}[]`;
  if (ours.some((one) => nameOf(one) === undefined)) {
    const longest = Math.max(ours.length, before.length);
    return Array.from({ length: longest }, (_, i) => farFrom(ours[i], before[i], after[i], place)).flat();
  }
  const find = (list: readonly Json[], name: string): Json | undefined => list.find((one) => nameOf(one) === name);
  const all = new Set([...ours, ...before].map((one) => nameOf(one) ?? ''));
  return [...all].flatMap((name) => {
    const [own, one, two] = [find(ours, name), find(before, name), find(after, name)];
    return farFrom(own, one, two, own === undefined || one === undefined ? `${place} ${name}` : place);
  });
}
