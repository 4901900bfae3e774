// SPDX-License-Identifier: Apache-2.0
import type { FreezeCandidate, LeftOutReason } from '../ports/freezing.ts';
import { plainPath } from '../errors/plain-path.ts';

export interface PlanRequest {
  /**
   * Only file systems mounted at one of these; absent: all of them. An empty list means none. A path may have doubled and
   * trailing slashes and components of one dot: it is the same mount point.
   */
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
  /** Names of the request that lead to nothing but file systems that other mounts cover: they cannot be frozen. */
  readonly covered: readonly string[];
  /**
   * Mount points at which a ring of backing stores had to be cut open (a loop device on a file of its own file
   * system). Empty in any sane machine; there the order follows the mount order.
   */
  readonly cutCycles: readonly string[];
  /** Excluded mount points at which nothing is mounted: a typing error there leaves something frozen that should not be. Absent: none. */
  readonly idleExclusions: readonly string[];
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
  const excluded = new Set(request.excluded?.map(plainPath));
  const wanted = request.mountPoints === undefined ? undefined : new Set(request.mountPoints.map(plainPath));
  const known = new Set<string>();
  const frozenAt = new Set<string>();
  const coveredAt = new Set<string>();
  const selected = new Set<string>();
  const leftOut: LeftOut[] = [];

  for (const candidate of candidates) {
    for (const mountPoint of candidate.mountPoints) known.add(mountPoint);
    if (wanted !== undefined && !candidate.mountPoints.some((mountPoint) => wanted.has(mountPoint))) continue;
    const why = whyLeftOut(candidate, excluded);
    if (why === undefined) selected.add(candidate.id);
    else leftOut.push({ mountPoint: nameOf(candidate), type: candidate.type, ...why });
    for (const mountPoint of candidate.mountPoints) {
      if (why === undefined) frozenAt.add(mountPoint);
      else if (why.reason === 'covered') coveredAt.add(mountPoint);
    }
  }
  const named = request.mountPoints === undefined ? [] : [...new Set(request.mountPoints)];

  const { nodes, cutCycles } = rank(candidates, selected);
  const idleExclusions = [...new Set(request.excluded)].filter((mountPoint) => !known.has(plainPath(mountPoint)));
  return {
    levels: levelsOf(nodes),
    leftOut,
    unmatched: named.filter((name) => !known.has(plainPath(name))),
    covered: named.filter((name) => coveredAt.has(plainPath(name)) && !frozenAt.has(plainPath(name))),
    cutCycles,
    idleExclusions,
  };
}

function whyLeftOut(candidate: FreezeCandidate, excluded: ReadonlySet<string>): Pick<LeftOut, 'reason' | 'detail'> | undefined {
  if (candidate.leftOut !== undefined) return candidate.leftOut;
  const match = candidate.mountPoints.find((mountPoint) => excluded.has(mountPoint));
  return match === undefined ? undefined : { reason: 'excluded', detail: `${match} is excluded by configuration` };
}

interface Node {
  readonly candidate: FreezeCandidate;
  readonly selected: boolean;
  readonly backing: Node[];
  /** How many that rest on it have no rank yet. */
  waitingFor: number;
  rank: number;
  ranked: boolean;
}

/** Candidates with what they rest on. A backing store that is in no survey, and one's own, count for nothing. */
function graphOf(candidates: readonly FreezeCandidate[], selected: ReadonlySet<string>): readonly Node[] {
  const nodes = candidates.map((candidate): Node =>
    ({ candidate, selected: selected.has(candidate.id), backing: [], waitingFor: 0, rank: 0, ranked: false }));
  const byId = new Map(nodes.map((node) => [node.candidate.id, node]));
  for (const { candidate, backing } of nodes) {
    for (const id of new Set(candidate.backing)) {
      const its = byId.get(id);
      if (its === undefined || id === candidate.id) continue;
      backing.push(its);
      its.waitingFor += 1;
    }
  }
  return nodes;
}

/**
 * For each candidate, the number of selected file systems on the longest chain of those that rest on it. Candidates
 * that are not frozen take part: they hand the order on without adding to it.
 */
function rank(
  candidates: readonly FreezeCandidate[],
  selected: ReadonlySet<string>,
): { nodes: readonly Node[]; cutCycles: readonly string[] } {
  const nodes = graphOf(candidates, selected);
  const ready = nodes.filter(({ waitingFor }) => waitingFor === 0);
  const settle = (node: Node): void => {
    node.ranked = true;
    const below = node.rank + (node.selected ? 1 : 0);
    for (const backing of node.backing) {
      if (backing.ranked) continue;
      backing.rank = Math.max(backing.rank, below);
      backing.waitingFor -= 1;
      if (backing.waitingFor === 0) ready.push(backing);
    }
  };
  const settleReady = (): void => {
    for (let next = ready.pop(); next !== undefined; next = ready.pop()) settle(next);
  };

  settleReady();
  // What is left now goes round in rings. Cuts go from the newest mount to the oldest: the order in which qemu-ga 11.1
  // freezes everything.
  const cutCycles: string[] = [];
  for (const node of nodes.toReversed()) {
    if (node.ranked) continue;
    cutCycles.push(nameOf(node.candidate));
    settle(node);
    settleReady();
  }
  return { nodes, cutCycles };
}

function levelsOf(nodes: readonly Node[]): readonly (readonly FreezeCandidate[])[] {
  const selected = nodes.filter((node) => node.selected).toReversed();
  const levels = Map.groupBy(selected, (node) => node.rank);
  return [...levels].toSorted(([a], [b]) => a - b).map(([, members]) => members.map(({ candidate }) => candidate));
}
