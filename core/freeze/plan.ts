import type { FreezeCandidate, LeftOutReason } from '../ports/freezing.ts';

export interface PlanRequest {
  /** Only file systems mounted at one of these, byte for byte; absent: all of them. An empty list means none. */
  readonly mountPoints?: readonly string[] | undefined;
  /** Mount points that the administrator excluded; any mount point of a file system excludes it. */
  readonly excluded?: readonly string[];
}

export interface LeftOut {
  readonly mountPoint: string;
  readonly type: string;
  readonly reason: LeftOutReason;
  readonly detail: string;
}

export interface FreezePlan {
  /** `levels[0]` is frozen first. Within a level no file system rests on another; reverse mount order. */
  readonly levels: readonly (readonly FreezeCandidate[])[];
  /** What stays unfrozen although it was asked for, in mount order. */
  readonly leftOut: readonly LeftOut[];
  /** Names of the request at which nothing is mounted. */
  readonly unmatched: readonly string[];
  /**
   * Mount points at which a ring of backing stores had to be cut open (a loop device on a file of its own file
   * system). Empty in any sane machine; there the order follows the mount order.
   */
  readonly cutCycles: readonly string[];
}

/** The name of a file system on the wire: its oldest mount point. */
export const nameOf = (candidate: FreezeCandidate): string => candidate.mountPoints[0] ?? candidate.id;

/**
 * Decides which superblocks are frozen and in which order. A file system comes before every other that holds its
 * backing store, through any number of loop devices, mappings and file systems that are not frozen themselves (an
 * overlay between a loop file and its disk): frozen the other way round, its flush would wait for ever.
 *
 * Pure: linear in candidates and their links, whatever the links are.
 */
export function planFreeze(candidates: readonly FreezeCandidate[], request: PlanRequest = {}): FreezePlan {
  const excluded = new Set(request.excluded);
  const wanted = request.mountPoints === undefined ? undefined : new Set(request.mountPoints);
  const known = new Set<string>();
  const selected = new Set<string>();
  const leftOut: LeftOut[] = [];

  for (const candidate of candidates) {
    for (const mountPoint of candidate.mountPoints) known.add(mountPoint);
    if (wanted !== undefined && !candidate.mountPoints.some((mountPoint) => wanted.has(mountPoint))) continue;
    const why = whyLeftOut(candidate, excluded);
    if (why === undefined) selected.add(candidate.id);
    else leftOut.push({ mountPoint: nameOf(candidate), type: candidate.type, ...why });
  }

  const { ranks, cutCycles } = rank(candidates, selected);
  return {
    levels: levelsOf(candidates, selected, ranks),
    leftOut,
    unmatched: wanted === undefined ? [] : [...wanted].filter((mountPoint) => !known.has(mountPoint)),
    cutCycles,
  };
}

function whyLeftOut(candidate: FreezeCandidate, excluded: ReadonlySet<string>): Pick<LeftOut, 'reason' | 'detail'> | undefined {
  if (candidate.leftOut !== undefined) return candidate.leftOut;
  const match = candidate.mountPoints.find((mountPoint) => excluded.has(mountPoint));
  return match === undefined ? undefined : { reason: 'excluded', detail: `${match} is excluded by configuration` };
}

/**
 * For each candidate, the number of selected file systems on the longest chain of those that rest on it. Candidates
 * that are not frozen take part: they hand the order on without adding to it.
 */
function rank(
  candidates: readonly FreezeCandidate[],
  selected: ReadonlySet<string>,
): { ranks: ReadonlyMap<string, number>; cutCycles: readonly string[] } {
  const byId = new Map(candidates.map((candidate) => [candidate.id, candidate]));
  const backingOf = (candidate: FreezeCandidate): FreezeCandidate[] =>
    [...new Set(candidate.backing)].flatMap((id) => (id === candidate.id ? [] : (byId.get(id) ?? [])));
  const dependents = new Map<string, number>(candidates.map(({ id }) => [id, 0]));
  for (const candidate of candidates) {
    for (const { id } of backingOf(candidate)) dependents.set(id, (dependents.get(id) ?? 0) + 1);
  }

  const ranks = new Map<string, number>(candidates.map(({ id }) => [id, 0]));
  const done = new Set<string>();
  const ready = candidates.filter(({ id }) => dependents.get(id) === 0);
  const cutCycles: string[] = [];
  // Cuts go from the newest mount to the oldest: the order in which qemu-ga 10.2 freezes everything.
  let newest = candidates.length - 1;
  while (done.size < byId.size) {
    let next = ready.pop();
    if (next === undefined) {
      while (newest >= 0 && done.has(candidates[newest]?.id ?? '')) newest -= 1;
      next = candidates[newest];
      if (next === undefined) break;
      cutCycles.push(nameOf(next));
    }
    if (done.has(next.id)) continue;
    done.add(next.id);
    const below = (ranks.get(next.id) ?? 0) + (selected.has(next.id) ? 1 : 0);
    for (const backing of backingOf(next)) {
      if (done.has(backing.id)) continue;
      ranks.set(backing.id, Math.max(ranks.get(backing.id) ?? 0, below));
      const left = (dependents.get(backing.id) ?? 0) - 1;
      dependents.set(backing.id, left);
      if (left === 0) ready.push(backing);
    }
  }
  return { ranks, cutCycles };
}

function levelsOf(
  candidates: readonly FreezeCandidate[],
  selected: ReadonlySet<string>,
  ranks: ReadonlyMap<string, number>,
): readonly (readonly FreezeCandidate[])[] {
  const levels = new Map<number, FreezeCandidate[]>();
  for (const candidate of candidates.toReversed()) {
    if (!selected.has(candidate.id)) continue;
    const level = ranks.get(candidate.id) ?? 0;
    const members = levels.get(level);
    if (members === undefined) levels.set(level, [candidate]);
    else members.push(candidate);
  }
  return [...levels.keys()].toSorted((a, b) => a - b).map((level) => levels.get(level) ?? []);
}
