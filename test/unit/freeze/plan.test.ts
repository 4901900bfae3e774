// SPDX-License-Identifier: Apache-2.0
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { planFreeze, type FreezePlan } from '../../../core/freeze/plan.ts';
import type { FreezeCandidate } from '../../../core/ports/freezing.ts';

const mounted = (id: string, extra: Partial<FreezeCandidate> = {}): FreezeCandidate => ({
  id,
  mountPoints: [`/${id}`],
  type: 'ext4',
  source: `/dev/${id}`,
  readOnly: false,
  backing: [],
  ...extra,
});

const overlay = { reason: 'overlay', detail: 'its layers are frozen where they lie' } as const;

const everythingBelow = (candidates: readonly FreezeCandidate[], id: string): Set<string> => {
  const reached = new Set<string>();
  const open = [id];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    for (const store of candidates.find((candidate) => candidate.id === next)?.backing ?? []) {
      if (!reached.has(store)) open.push(store);
      reached.add(store);
    }
  }
  return reached;
};

const idsOf = (plan: FreezePlan): string[][] => plan.levels.map((level) => level.map(({ id }) => id));

describe('the order of freezing', () => {
  it('puts independent file systems in one level, the newest mount first', () => {
    const plan = planFreeze([mounted('root'), mounted('home'), mounted('data')]);

    expect(idsOf(plan)).toEqual([['data', 'home', 'root']]);
  });

  it('freezes a loop file system before the one that holds its image, whatever was mounted first', () => {
    const plan = planFreeze([mounted('image', { backing: ['disk'] }), mounted('disk')]);

    expect(idsOf(plan)).toEqual([['image'], ['disk']]);
  });

  it('freezes a loop in a loop from the innermost out', () => {
    const plan = planFreeze([mounted('disk'), mounted('outer', { backing: ['disk'] }), mounted('inner', { backing: ['outer'] })]);

    expect(idsOf(plan)).toEqual([['inner'], ['outer'], ['disk']]);
  });

  it('puts a file system below all that rest on it, the farthest one counting', () => {
    const plan = planFreeze([
      mounted('disk'),
      mounted('near', { backing: ['disk'] }),
      mounted('middle', { backing: ['disk'] }),
      mounted('far', { backing: ['middle', 'disk'] }),
      mounted('alone'),
    ]);

    expect(idsOf(plan)).toEqual([['alone', 'far', 'near'], ['middle'], ['disk']]);
  });

  it('keeps the order through an overlay that is not frozen itself', () => {
    const plan = planFreeze([
      mounted('disk'),
      mounted('merged', { type: 'overlay', backing: ['disk'], leftOut: overlay }),
      mounted('image', { backing: ['merged'] }),
    ]);

    expect(idsOf(plan)).toEqual([['image'], ['disk']]);
  });

  it('keeps the order through a file system that was not asked for', () => {
    const candidates = [mounted('disk'), mounted('outer', { backing: ['disk'] }), mounted('inner', { backing: ['outer'] })];

    const plan = planFreeze(candidates, { mountPoints: ['/disk', '/inner'] });

    expect(idsOf(plan)).toEqual([['inner'], ['disk']]);
  });

  it('ends on a ring of backing stores, cuts it at the newest mount and names it', () => {
    const plan = planFreeze([
      mounted('a', { backing: ['c'] }),
      mounted('b', { backing: ['a'] }),
      mounted('c', { backing: ['b'] }),
      mounted('leaf', { backing: ['c'] }),
    ]);

    expect(idsOf(plan)).toEqual([['leaf'], ['c'], ['b'], ['a']]);
    expect(plan.cutCycles).toEqual(['/c']);
  });

  it('takes no notice of a file system that rests on itself or on an unknown one', () => {
    const plan = planFreeze([mounted('a', { backing: ['a', 'gone'] })]);

    expect(idsOf(plan)).toEqual([['a']]);
    expect(plan.cutCycles).toEqual([]);
  });

  it('freezes each file system once and before all that it rests on, for any graph without rings', () => {
    const graphs = fc.integer({ min: 0, max: 30 }).chain((size) =>
      fc.tuple(
        ...Array.from({ length: size }, (_, index) =>
          fc.tuple(fc.subarray(Array.from({ length: index }, (_v, other) => other)), fc.boolean()))));

    fc.assert(
      fc.property(graphs, fc.integer(), (graph, seed) => {
        const candidates = graph
          .map(([backing, out], index) => mounted(`n${index}`, {
            backing: backing.map((other) => `n${other}`),
            ...(out && { leftOut: overlay }),
          }))
          .toSorted((a, b) => ((a.id.length * 31 + seed) % 7) - ((b.id.length * 31 + seed) % 7));

        const plan = planFreeze(candidates);

        const levelOf = new Map(idsOf(plan).flatMap((ids, level) => ids.map((id) => [id, level] as const)));
        expect(levelOf.size).toBe(candidates.filter(({ leftOut }) => leftOut === undefined).length);
        expect(plan.cutCycles).toEqual([]);
        for (const [id, level] of levelOf) {
          for (const store of everythingBelow(candidates, id)) expect(levelOf.get(store) ?? Infinity).toBeGreaterThan(level);
        }
      }),
    );
  });

  it('has a level for any graph at all, rings included', () => {
    const links = fc.array(fc.tuple(fc.nat({ max: 19 }), fc.nat({ max: 19 })), { maxLength: 60 });

    fc.assert(
      fc.property(links, (pairs) => {
        const candidates = Array.from({ length: 20 }, (_, index) =>
          mounted(`n${index}`, { backing: pairs.filter(([from]) => from === index).map(([, to]) => `n${to}`) }));

        const plan = planFreeze(candidates);

        expect(idsOf(plan).flat().toSorted()).toEqual(candidates.map(({ id }) => id).toSorted());
      }),
    );
  });

  it('plans ten thousand mounts that rest on each other', () => {
    const candidates = Array.from({ length: 10_000 }, (_, index) =>
      mounted(`n${index}`, { backing: index === 0 ? [] : [`n${index - 1}`] }));

    const plan = planFreeze(candidates);

    expect(plan.levels).toHaveLength(10_000);
    expect(plan.levels[0]?.[0]?.id).toBe('n9999');
  });
});

describe('what is frozen', () => {
  it('counts a superblock once however often it is mounted or named', () => {
    const candidates = [mounted('disk', { mountPoints: ['/disk', '/bind', '/disk/sub'] })];

    const plan = planFreeze(candidates, { mountPoints: ['/bind', '/disk', '/disk'] });

    expect(idsOf(plan)).toEqual([['disk']]);
    expect(plan.unmatched).toEqual([]);
  });

  it('says which names are no mount points, as they were given', () => {
    const plan = planFreeze([mounted('disk'), mounted('C:', { mountPoints: ['C:\\', '\\\\?\\Volume{1}\\'] })], {
      mountPoints: ['/Disk', '/nope/', '/disk/sub', '/disk', 'disk', '', '/nope/../disk', 'C:', 'C:\\'],
    });

    expect(idsOf(plan)).toEqual([['C:', 'disk']]);
    expect(plan.unmatched).toEqual(['/Disk', '/nope/', '/disk/sub', 'disk', '', '/nope/../disk', 'C:']);
  });

  it.each(['/mnt/a', '/mnt/a/', '//mnt/a', '/mnt//a', '/mnt/./a', '/./mnt/a/.', '///mnt/.//./a//'])('takes %s for the mount point /mnt/a', (name) => {
    const candidates = [mounted('root', { mountPoints: ['/'] }), mounted('a', { mountPoints: ['/mnt/a'] }), mounted('b', { mountPoints: ['/mnt/a/b'] })];

    expect(planFreeze(candidates, { mountPoints: [name] })).toEqual({
      levels: [[candidates[1]]], leftOut: [], unmatched: [], covered: [], cutCycles: [], idleExclusions: [],
    });
    expect(idsOf(planFreeze(candidates, { excluded: [name] }))).toEqual([['b', 'root']]);
  });

  it.each(['/', '//', '/.', '/./'])('takes %s for the root', (name) => {
    expect(idsOf(planFreeze([mounted('root', { mountPoints: ['/'] }), mounted('a')], { mountPoints: [name] }))).toEqual([['root']]);
  });

  it('says which names lead to a file system that is covered, and to no other', () => {
    const covered = { reason: 'covered', detail: 'out of reach' } as const;
    const candidates = [
      mounted('below', { mountPoints: ['/x'], leftOut: covered }),
      mounted('above', { mountPoints: ['/x'], type: 'tmpfs', leftOut: { reason: 'pseudo', detail: 'tmpfs keeps nothing on a disk' } }),
      mounted('under', { mountPoints: ['/y', '/z'], leftOut: covered }),
      mounted('over', { mountPoints: ['/y'] }),
    ];

    const plan = planFreeze(candidates, { mountPoints: ['/x/', '/y', '/z'] });

    expect(idsOf(plan)).toEqual([['over']]);
    expect(plan.covered).toEqual(['/x/', '/z']);
    expect(planFreeze(candidates).covered).toEqual([]);
  });

  it('plans nothing for an empty list', () => {
    const plan = planFreeze([mounted('disk')], { mountPoints: [] });

    expect(plan).toEqual({ levels: [], leftOut: [], unmatched: [], covered: [], cutCycles: [], idleExclusions: [] });
  });

  it('takes a mount point of a file system that is left out for known', () => {
    const plan = planFreeze([mounted('merged', { type: 'overlay', leftOut: overlay })], { mountPoints: ['/merged'] });

    expect(plan.unmatched).toEqual([]);
    expect(plan.leftOut).toEqual([{ mountPoint: '/merged', type: 'overlay', ...overlay }]);
  });

  it('leaves out what the configuration excludes, by any of its mount points, and says which', () => {
    const plan = planFreeze([mounted('disk', { mountPoints: ['/disk', '/bind'] }), mounted('data')], { excluded: ['/bind'] });

    expect(idsOf(plan)).toEqual([['data']]);
    expect(plan.leftOut).toEqual([
      { mountPoint: '/disk', type: 'ext4', reason: 'excluded', detail: '/bind is excluded by configuration' },
    ]);
  });

  it('leaves out only what was asked for', () => {
    const candidates = [mounted('merged', { type: 'overlay', leftOut: overlay }), mounted('disk')];

    const plan = planFreeze(candidates, { mountPoints: ['/disk'] });

    expect(plan.leftOut).toEqual([]);
  });

  it('freezes a read-only file system, which the count of qemu-ga includes', () => {
    const plan = planFreeze([mounted('disk', { readOnly: true })]);

    expect(idsOf(plan)).toEqual([['disk']]);
  });
});
