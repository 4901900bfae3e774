// SPDX-License-Identifier: Apache-2.0
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const has = (program: string): boolean => spawnSync('which', [program]).status === 0;

/** What is missing for a scenario, for the name of the test that is skipped. */
function missing(...programs: string[]): string {
  const lacks = [
    ...(process.getuid?.() === 0 ? [] : ['root']),
    ...['unshare', 'losetup', 'fsfreeze', 'mkfs.ext4', 'mkfs.xfs', ...programs].filter((program) => !has(program)),
    ...(existsSync('/dev/loop-control') ? [] : ['loop devices']),
    ...(existsSync(join(import.meta.dirname, '../../../build/Release/concierge-guardian')) ? [] : ['the guardian: npm run build:native']),
  ];
  return lacks.join(', ');
}

/** Runs in a mount namespace of its own, which takes every mount with it when it ends. */
async function inNamespace(script: string, ...args: string[]): Promise<unknown> {
  const path = join(import.meta.dirname, script);
  const { stdout } = await run('unshare', ['--mount', '--propagation', 'private', process.execPath, path, ...args], { timeout: 240_000 });
  return JSON.parse(stdout);
}

/** What freezes change of the whole machine, and what they could leave on it. */
const machine = () => ({
  expedited: existsSync('/sys/kernel/rcu_expedited') ? readFileSync('/sys/kernel/rcu_expedited', 'utf8') : '',
  // Others mount and unmount on a machine, too; nobody else mounts loop devices in the middle of this.
  mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').filter((line) => / - \S+ \/dev\/loop/.test(line)).map((line) => line.split(' ')[4] ?? '').toSorted(),
  guardians: readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/exe`) === join(import.meta.dirname, '../../../build/Release/concierge-guardian');
    } catch {
      return false;
    }
  }),
});
const before = machine();

const scenario = (name: string, argument = ''): Promise<unknown> => inNamespace('scenarios.ts', name, argument);

const scenarioTest = (sentence: string, programs: readonly string[], test: () => Promise<void>): void => {
  const lacks = missing(...programs);
  it.skipIf(lacks !== '')(lacks === '' ? sentence : `${sentence} (needs ${lacks})`, test);
};

describe('freezing real file systems', () => {
  scenarioTest('refuses to let what it holds frozen be unmounted, and thaws what was unmounted lazily', [], async () => {
    expect(await scenario('unmounted-while-held')).toEqual({ count: 1, usual: 32, lazy: 0, thaw: 1, frozen: [], marker: false });
  });

  scenarioTest('finds the right order among disks, loops in loops, overlays, subvolumes and bind mounts, and counts right', ['mkfs.btrfs', 'mksquashfs'], async () => {
    expect(await scenario('kinds')).toEqual({
      plan: {
        levels: [
          ['/media/readonly', '/media/on-overlay', '/media/inner', '/media/btrfs', '/media/xfs'],
          ['/media/outer'],
          ['/media/disk'],
        ],
        leftOut: [
          '/media/tmpfs (tmpfs): pseudo',
          '/media/overlay (overlay): overlay',
          '/media/squashfs (squashfs): read-only',
          '/media/covered (ext4): covered',
          '/media/covered (tmpfs): pseudo',
        ],
      },
      counts: [7, 7],
      byBind: [2, ['/media/disk', '/media/btrfs'], 2],
      spelled: [1, ['/media/disk'], 1],
      unknown: { error: 'failed to freeze /mnt/nope: no file system is mounted there' },
      covered: [{ error: 'failed to freeze /media/covered: the file system there is covered by another mount' }, []],
      guardians: [],
    });
  });

  scenarioTest('makes writers wait, loses nothing that they wrote, and leaves an image that mounts as it was', ['mkfs.btrfs', 'btrfstune', 'dumpe2fs'], async () => {
    expect(await scenario('writers')).toEqual({
      count: 3,
      still: true,
      status: { status: 'frozen', gate: true },
      refused: { error: 'Command guest-fsfreeze-freeze has been disabled: the command is not allowed' },
      thawed: 3,
      intact: [true, true, true],
      dirtyLog: false,
      snapshots: [true, true, true],
    });
  });

  scenarioTest('passes over a FUSE file system that nobody serves without touching it', ['python3'], async () => {
    expect(await scenario('fuse')).toEqual({
      plan: { levels: [['/media/disk']], leftOut: ['/media/fuse (fuse.hanging): fuse'] },
      counts: [1, ['/media/disk'], 1],
    });
  });

  for (const when of ['flush', 'freeze']) {
    scenarioTest(`gives up on a file system that hangs in its ${when}, thaws the others at once and that one when it comes round`, [], async () => {
      expect(await scenario('late', when)).toEqual({
        answer: { error: 'failed to freeze /media/inner: not frozen within 1.5 s' },
        otherFrozen: [],
        status: { status: 'thawed', gate: false },
        frozen: [],
        again: [2, 2],
      });
    });
  }

  scenarioTest('finds the one file system that counts among a thousand mounts', [], async () => {
    expect(await scenario('thousand')).toEqual({ mountPoints: [501], counts: [1, ['/media/disk'], 1, []] });
  });

  scenarioTest('counts right through 100 cycles under a write load, without growth and without losing a line', [], async () => {
    const { wrong, first, last, intact, guardians } = (await scenario('cycles', '100')) as {
      wrong: unknown[]; first: Usage; last: Usage; intact: boolean[]; guardians: string[];
    };

    expect({ wrong, intact, guardians }).toEqual({ wrong: [], intact: Array.from({ length: 8 }, () => true), guardians: [] });
    expect(last.descriptors).toBeLessThanOrEqual(first.descriptors);
    // Code and its feedback still grow a little after 20 cycles; a session that stays behind each time would be more.
    expect(last.memory - first.memory).toBeLessThan(1024 * 1024);
  });
});

interface Usage {
  readonly descriptors: number;
  readonly memory: number;
}

describe('an agent that is killed', () => {
  const incomplete = [
    'after:writeHookMarker', 'before:survey', 'before:begin', 'after:begin', 'before:writeFreezeMarker', 'after:writeFreezeMarker',
    'half:flush', 'after:flush', 'half:freeze',
  ];
  for (const place of incomplete) {
    scenarioTest(`${place.replace(':', ' ')} leaves nothing frozen, no marker and no hook without its thaw`, [], async () => {
      const clean = { answered: false, frozen: [], marker: false, hooksBalanced: true };

      expect(await scenario('death', place)).toEqual([{ ...clean, found: 'thawed' }, { ...clean, found: '' }]);
    });
  }

  scenarioTest('between the last freeze and the answer leaves a freeze that its successor finds and thaws', [], async () => {
    const clean = { answered: false, frozen: [], marker: false, hooksBalanced: true };

    expect(await scenario('death', 'after:freeze')).toEqual([{ ...clean, found: 'frozen' }, { ...clean, found: '' }]);
  });

  for (const place of ['before:thaw', 'half:thaw', 'after:thaw', 'before:removeFreezeMarker', 'after:removeFreezeMarker']) {
    scenarioTest(`${place.replace(':', ' ')} leaves nothing frozen once its successor or concierge-ga thaw has run`, [], async () => {
      const results = (await scenario('death', place)) as { frozen: string[]; marker: boolean }[];

      expect(results.map(({ frozen, marker }) => ({ frozen, marker }))).toEqual([{ frozen: [], marker: false }, { frozen: [], marker: false }]);
    });
  }
});

describe('the deadline', () => {
  const successor = { found: 'thawed', thaw: 0, frozen: [], marker: false };

  scenarioTest('thaws while the agent is stuck in an endless loop', [], async () => {
    expect(await scenario('stuck', 'spin')).toMatchObject({ count: 2, ...successor });
  });

  scenarioTest('thaws while the agent is stopped, which knows of it when it goes on', [], async () => {
    expect(await scenario('stuck', 'stop')).toMatchObject({
      count: 2, frozen: [], status: { status: 'thawed' }, thaw: 0, end: 'deadline',
    });
  });

  scenarioTest('thaws after the agent was killed', [], async () => {
    expect(await scenario('stuck', 'kill')).toMatchObject({ count: 2, ...successor });
  });

  scenarioTest('thaws while four operations block the pool, and so does nothing else need it', [], async () => {
    expect(await scenario('stuck', 'pool')).toMatchObject({ count: 2, frozen: [], status: { status: 'thawed' }, thaw: 0 });
  });
});

describe('a guardian whose agent was killed', () => {
  for (const state of ['running', 'stopped']) {
    scenarioTest(`${state}, thaws when concierge-guardian thaw says so, which leaves the marker to others`, [], async () => {
      expect(await scenario('ordered', state)).toEqual({
        count: 2, said: ['2 file systems thawed by their guardian\n', ''], atOnce: { frozen: [], marker: true }, marker: false,
      });
    });
  }
});

describe('a guardian that is stopped', () => {
  scenarioTest('goes on for a thaw, and when the agent misses its word about the deadline', [], async () => {
    expect(await scenario('guardian-stopped')).toEqual({ late: [0, 'deadline', []], asked: [2, [], []] });
  });
});

describe('a guardian that is killed', () => {
  scenarioTest('is replaced by the agent, which thaws at once', [], async () => {
    expect(await scenario('guardian-killed')).toEqual({ count: 2, thaw: 0, end: 'holder-lost', frozen: [], marker: false });
  });
});

describe('the list of mounts', () => {
  scenarioTest('is that of the moment, whatever comes and goes between a freeze and its thaw', [], async () => {
    const [disk, both] = [['/media/disk'], ['/media/disk', '/media/bind']];
    expect(await scenario('mounts-change')).toEqual({ seen: [disk, disk, both, ['/media/xfs', ...disk]], counts: [1, 2] });
  });
});

describe('a frozen file system that is hidden', () => {
  scenarioTest('by another mount is thawed by the agent when all of the guardian is killed', [], async () => {
    expect(await scenario('covered', 'agent')).toEqual({ count: 2, thaw: 0, status: { status: 'thawed', gate: false }, frozen: [], marker: false });
  });

  scenarioTest('by another mount is uncovered and thawed by the next agent when everybody is killed', [], async () => {
    expect(await scenario('covered', 'next')).toEqual({ count: 2, found: 'thawed', frozen: [], marker: false });
  });

  scenarioTest('because it was unmounted stays in status, marker and error until it can be reached', ['findmnt'], async () => {
    const outOfReach = { error: expect.stringMatching(/^failed to thaw \/media\/ext4: it is mounted nowhere any more, and may be frozen still$/) as string };
    expect(await scenario('unmounted')).toEqual({
      count: 1,
      unreachable: { found: 'frozen', thaw: outOfReach, marker: true },
      again: { thaw: 1, status: { status: 'thawed', gate: false }, marker: false, frozen: [] },
    });
  });
});

describe('an agent without descriptors', () => {
  scenarioTest('thaws all the same when all of its guardian is killed', ['prlimit'], async () => {
    expect(await scenario('penniless')).toEqual({ count: 2, status: { status: 'thawed', gate: false }, end: 'holder-lost', frozen: [], marker: false });
  });
});

describe('the watch of a guardian', () => {
  const clean = { count: 2, found: 'thawed', thaw: 0, frozen: [], marker: false };

  scenarioTest('thaws at once when agent and guardian are killed', [], async () => {
    expect(await scenario('watch-alone', 'killed')).toEqual(clean);
  });

  scenarioTest('continues a guardian that is stopped when the deadline comes and no agent is there', [], async () => {
    expect(await scenario('watch-alone', 'stopped')).toEqual(clean);
  });
});

describe('the switch of the kernel that a freeze changes', () => {
  const clean = { noted: '0', expedited: '0', frozen: [], marker: false };

  scenarioTest('is put back when the guardian is killed', [], async () => {
    expect(await scenario('expedited', 'guardian')).toEqual({ ...clean, failed: true });
  });

  scenarioTest('is put back by the watch when agent and guardian are killed', [], async () => {
    expect(await scenario('expedited', 'agent and guardian')).toEqual({ ...clean, before: '0' });
  });

  scenarioTest('is put back by the next agent when everybody is killed', [], async () => {
    expect(await scenario('expedited', 'all')).toEqual({ ...clean, before: 'left to the next' });
  });

  scenarioTest('is put back by concierge-ga thaw when everybody is killed', [], async () => {
    expect(await scenario('expedited', 'all, then command')).toEqual(clean);
  });
});

describe('the guardian of the last freeze', () => {
  const done = { counts: [1, 1, 2, 2], isSame: true, holds: false, expedited: '0', frozen: [], marker: false };
  const thawedByOthers = { ...done, counts: [1, 1, 2], found: 'thawed', thaw: 0 };
  for (const [what, expected] of Object.entries({
    'waits for the next one and makes it': done,
    'stopped at rest': done,
    'unmounted at rest': { ...done, counts: [1, 1, 1, 1] },
    'killed at rest': { ...done, isSame: false },
    'watch killed at rest': thawedByOthers,
    'guardian killed': thawedByOthers,
    'guardian stopped': thawedByOthers,
  })) {
    scenarioTest(`is as good as a new one: ${what}`, [], async () => {
      expect(await scenario('again', what)).toEqual(expected);
    });
  }
});

describe('a guardian that is stopped before it is ready', () => {
  scenarioTest('fails the freeze after 5 s, with an error that names it', [], async () => {
    expect(await scenario('never-ready')).toEqual({
      error: 'the freeze guardian PATH (process N) did not get ready: somebody has stopped it', frozen: [], marker: false,
    });
  });
});

describe('a database', () => {
  const server = existsSync('/usr/lib/postgresql') ? [] : ['postgresql'];

  scenarioTest('that commits all the time has lost no committed row in the copy of its frozen disk', ['psql', 'runuser', ...server], async () => {
    expect(await inNamespace('postgresql.ts')).toEqual({
      count: 1,
      thawed: 1,
      ownedBy: true,
      checkpointMoved: true,
      hooks: [{ phase: 'freeze', ok: true }, { phase: 'thaw', ok: true }],
      lost: 0,
      gaps: 0,
    });
  });
});

describe('the machine', () => {
  it('is as it was before all this', () => {
    expect(machine()).toEqual(before);
  });
});
