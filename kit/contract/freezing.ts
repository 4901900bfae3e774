// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import type { FileAccess, FreezeSession, Freezing, FreezeTarget, ThawOutcome } from '../../core/ports/index.ts';
import { areDifferent, fails, hasNoUndefined, isText } from './expect.ts';
import { bytes, readAll, using } from './open-files.ts';
import { contractGroup, timePasses, type ContractCase } from './group.ts';
import type { ContractSubject } from './subject.ts';

type Case = ContractCase<Freezing>;

const needsTargets: Case['skip'] = ({ safe }) => (safe.freeze === undefined || safe.freeze.length === 0 ? 'needs file systems that may be frozen' : undefined);
const needsTargetsAndFiles: Case['skip'] = (subject) =>
  needsTargets(subject) ?? (subject.backend.fileSystem?.files === undefined ? 'needs fileSystem.files' : undefined);

/** The file systems that may be frozen, with the ids that the survey gives them. */
async function targetsOf(freezing: Freezing, { safe }: ContractSubject): Promise<readonly FreezeTarget[]> {
  const survey = await freezing.survey();
  return (safe.freeze ?? []).map(({ mountPoint }) => {
    const found = survey.find(({ mountPoints }) => mountPoints.includes(mountPoint));
    return { id: found?.id ?? assert.fail(`the survey lacks ${mountPoint}`), mountPoint };
  });
}

interface Limits {
  readonly deadlineMs?: number;
}

/** A session with one level for each target, so that the order is certain. */
async function begin(freezing: Freezing, subject: ContractSubject, targets: readonly FreezeTarget[], limits: Limits = {}): Promise<FreezeSession> {
  return freezing.begin({
    levels: targets.map((target) => [target]),
    deadlineMs: limits.deadlineMs ?? 0,
    freezeWithinMs: 0,
    stateDirectory: subject.safe.stateDirectory ?? subject.scratchDirectory,
  });
}

/** Runs with a session and leaves nothing frozen, whatever happens. */
async function withSession(
  freezing: Freezing,
  subject: ContractSubject,
  limits: Limits,
  use: (session: FreezeSession, targets: readonly FreezeTarget[]) => Promise<void>,
): Promise<void> {
  const targets = await targetsOf(freezing, subject);
  const session = await begin(freezing, subject, targets, limits);
  try {
    await use(session, targets);
  } finally {
    await session.thaw();
  }
}

/** Whether a promise is still open after the backend has done something else meanwhile. */
async function waits(promise: Promise<unknown>, freezing: Freezing): Promise<boolean> {
  let settled = false;
  const note = (): void => {
    settled = true;
  };
  promise.then(note, note);
  for (let round = 0; round < 20; round += 1) {
    // oxlint-disable-next-line no-await-in-loop -- each round gives the write another chance to settle
    await freezing.survey();
  }
  return !settled;
}

const filesOf = ({ backend }: ContractSubject): FileAccess => backend.fileSystem?.files ?? assert.fail('no files');
const frozenFile = ({ safe }: ContractSubject): string => `${safe.freeze?.[0]?.writable}/frozen-file`;
const ids = (outcomes: readonly { readonly id: string }[]): readonly string[] => outcomes.map(({ id }) => id);
const allThawed = (outcomes: readonly ThawOutcome[]): boolean => outcomes.every(({ thawed, error }) => thawed && error === undefined);

const facts: readonly Case[] = [
  {
    name: 'the survey has one entry for each file system, and what it lies on is in it too',
    run: async (freezing) => {
      const survey = await freezing.survey();

      areDifferent(ids(survey), 'ids');
      for (const candidate of survey) {
        hasNoUndefined(candidate, candidate.id);
        assert.ok(candidate.mountPoints.length > 0, `${candidate.id} is mounted somewhere`);
        isText(candidate.type, 'type');
        assert.equal(typeof candidate.readOnly, 'boolean');
        assert.equal(candidate.backing.includes(candidate.id), false, `${candidate.id} does not lie on itself`);
        if (candidate.leftOut !== undefined) isText(candidate.leftOut.detail, 'why it is left out');
      }
    },
  },
  {
    name: 'a session for a mount point that is not there does not begin, and leaves nothing behind',
    run: async (freezing, subject) => {
      const nowhere = { id: '0:0', mountPoint: `${subject.scratchDirectory}/nowhere` };

      await fails(() => begin(freezing, subject, [nowhere]));
    },
  },
  {
    name: 'there is no session to recover for a marker that nobody left',
    run: async (freezing) => {
      const marker = { bootId: 'another boot', targets: [], deadlineAt: 0n, recoveryData: {} };

      assert.equal(await freezing.recover(marker), undefined);
    },
  },
];

const freezes: readonly Case[] = [
  {
    name: 'beginning a session freezes nothing, and thawing it then has nothing to do',
    skip: needsTargetsAndFiles,
    run: async (freezing, subject) =>
      withSession(freezing, subject, {}, async (session) => {
        await using(filesOf(subject), frozenFile(subject), 'w', async (file) => file.write(bytes('x')));

        const outcomes = await session.thaw();

        assert.equal(outcomes.some(({ thawed }) => thawed), false);
      }),
  },
  {
    name: 'every target is frozen in the order of the levels, and thawed in the reverse order',
    skip: needsTargets,
    run: async (freezing, subject) =>
      withSession(freezing, subject, {}, async (session, targets) => {
        await session.flush();
        const frozen = await session.freeze();
        const thawed = await session.thaw();

        assert.deepEqual(ids(frozen), ids(targets));
        assert.ok(frozen.every(({ result }) => result === 'frozen'), JSON.stringify(frozen.map(({ result, error }) => [result, error])));
        assert.ok(frozen.every(({ frozenAt }) => typeof frozenAt === 'bigint' && frozenAt > 0n));
        assert.deepEqual(ids(thawed), ids(targets.toReversed()));
        assert.ok(allThawed(thawed));
      }),
  },
  {
    name: 'a second thaw of a session answers the same',
    skip: needsTargets,
    run: async (freezing, subject) =>
      withSession(freezing, subject, {}, async (session) => {
        await session.freeze();

        const first = await session.thaw();

        assert.deepEqual(await session.thaw(), first);
      }),
  },
  {
    name: 'a writer waits while its file system is frozen and goes on after the thaw, and reading goes on',
    skip: needsTargetsAndFiles,
    run: async (freezing, subject) =>
      withSession(freezing, subject, {}, async (session) => {
        const path = frozenFile(subject);
        await using(filesOf(subject), path, 'w', async (file) => file.write(bytes('before')));
        const file = await filesOf(subject).open(path, { read: true, write: true, append: true, create: false, truncate: false });
        await session.freeze();

        const writing = (async () => file.write(bytes('+after')))();

        assert.ok(await waits(writing, freezing));
        assert.equal((await using(filesOf(subject), path, 'r', readAll)).toString(), 'before');
        await session.thaw();
        await writing;
        await file.close();
        assert.equal((await using(filesOf(subject), path, 'r', readAll)).toString(), 'before+after');
      }),
  },
  {
    name: 'what somebody else has frozen is busy, and not thawed by this session',
    skip: needsTargets,
    run: async (freezing, subject) =>
      withSession(freezing, subject, {}, async (first, targets) => {
        await first.freeze();
        // A holder keeps its own things in the directory: the second one gets another.
        const elsewhere = { ...subject, safe: { ...subject.safe, stateDirectory: subject.scratchDirectory } };
        const second = await begin(freezing, elsewhere, targets);

        const outcomes = await second.freeze();
        const thawed = await second.thaw();

        assert.ok(outcomes.every(({ result }) => result === 'busy'));
        assert.equal(thawed.some((outcome) => outcome.thawed), false);
        assert.ok(allThawed(await first.thaw()));
      }),
  },
  {
    name: 'a session ends itself at its deadline, and everything goes on',
    skip: needsTargetsAndFiles,
    run: async (freezing, subject) =>
      withSession(freezing, subject, { deadlineMs: 1500 }, async (session, targets) => {
        const path = frozenFile(subject);
        await using(filesOf(subject), path, 'w', async (file) => file.write(bytes('-')));
        const file = await filesOf(subject).open(path, { read: false, write: true, append: true, create: false, truncate: false });
        await session.freeze();
        const writing = (async () => file.write(bytes('!')))();

        await timePasses(subject, 1500);
        const end = await session.ended;

        assert.equal(end.reason, 'deadline');
        assert.deepEqual(ids(end.thawed).toSorted(), ids(targets).toSorted());
        assert.ok(allThawed(end.thawed));
        isText(end.detail, 'detail');
        await writing;
        await file.close();
      }),
  },
  {
    name: 'what others thawed meanwhile counts as not thawed, and is no error',
    skip: needsTargets,
    run: async (freezing, subject) =>
      withSession(freezing, subject, {}, async (session, targets) => {
        await session.freeze();

        const everything = await freezing.thawEverything(targets.toReversed());
        const own = await session.thaw();

        assert.deepEqual(ids(everything).toSorted(), ids(targets).toSorted());
        assert.ok(allThawed(everything));
        assert.ok(own.every(({ thawed, error }) => !thawed && error === undefined));
      }),
  },
  {
    name: 'thawing everything goes in mount order, whatever the order of the list',
    skip: needsTargets,
    run: async (freezing, subject) =>
      withSession(freezing, subject, {}, async (session, targets) => {
        await session.freeze();

        // In the order of freezing: the first would wait for ever for what it lies on.
        const outcomes = await freezing.thawEverything(targets);

        assert.ok(allThawed(outcomes));
      }),
  },
  {
    name: 'thawing everything where nothing is frozen is no error',
    skip: needsTargets,
    run: async (freezing, subject) => {
      const targets = await targetsOf(freezing, subject);

      const outcomes = await freezing.thawEverything(targets);

      assert.ok(outcomes.every(({ thawed, error }) => !thawed && error === undefined));
    },
  },
  {
    name: 'a file system can be frozen again after its thaw',
    skip: needsTargets,
    run: async (freezing, subject) => {
      for (let round = 0; round < 3; round += 1) {
        // oxlint-disable-next-line no-await-in-loop -- one freeze after the other
        await withSession(freezing, subject, {}, async (session) => {
          const outcomes = await session.freeze();
          assert.ok(outcomes.every(({ result }) => result === 'frozen'));
        });
      }
    },
  },
];

export const freezeContract = contractGroup('fileSystem.freezing', (backend) => backend.fileSystem?.freezing, [...facts, ...freezes]);
