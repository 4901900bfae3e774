// SPDX-License-Identifier: Apache-2.0
/** The name that was probably meant: the one with the fewest changed letters, where those are few, or the only one that ends so. */
export function closestName(given: string, names: readonly string[]): string | undefined {
  const ending = given.length < 3 ? [] : names.filter((name) => name.toLowerCase().endsWith(`-${given.toLowerCase()}`));
  if (ending.length === 1) return ending[0];
  let best: string | undefined;
  let least = Math.max(2, Math.floor(given.length / 3)) + 1;
  for (const name of names) {
    // No name is nearer than that.
    if (Math.abs(name.length - given.length) >= least) continue;
    const changes = distance(given.toLowerCase(), name.toLowerCase(), new Map());
    // With every letter changed it is another name.
    if (changes < least && changes < name.length) {
      least = changes;
      best = name;
    }
  }
  return best;
}

/** Letters to insert, delete, replace, or swap with their neighbour (optimal string alignment). `known` has those of endings of both. */
function distance(one: string, other: string, known: Map<string, number>): number {
  if (one === '' || other === '') return one.length + other.length;
  const key = `${one.length} ${other.length}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const ways = [
    distance(one.slice(1), other, known) + 1,
    distance(one, other.slice(1), known) + 1,
    distance(one.slice(1), other.slice(1), known) + (one[0] === other[0] ? 0 : 1),
  ];
  if (one[0] === other[1] && one[1] === other[0]) ways.push(distance(one.slice(2), other.slice(2), known) + 1);
  const least = Math.min(...ways);
  known.set(key, least);
  return least;
}
