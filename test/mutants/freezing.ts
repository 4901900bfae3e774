// SPDX-License-Identifier: Apache-2.0
import type { Backend, Freezing, FreezeOutcome, FreezeSession, ThawOutcome } from '../../kit/index.ts';
import { present, replaced, type Mutant } from './mutant.ts';

const withFreezing = (change: (freezing: Freezing) => Partial<Freezing>) => (backend: Backend): Backend => {
  const fileSystem = present(backend.fileSystem, 'fileSystem');
  const freezing = present(fileSystem.freezing, 'freezing');
  return replaced(backend, { fileSystem: replaced(fileSystem, { freezing: replaced(freezing, change(freezing)) }) });
};

const everySession = (change: (session: FreezeSession) => Partial<FreezeSession>) =>
  withFreezing((freezing) => ({ begin: async (request) => {
    const session = await freezing.begin(request);
    return replaced(session, change(session));
  } }));

const group = 'fileSystem.freezing';
const order = 'every target is frozen in the order of the levels';

/** Faults of freezing, planted in the fake: on Linux they would be planted in file systems of loop devices. */
export const freezeMutants: readonly Mutant[] = [
  {
    fault: 'the last file system is not counted', group, caughtBy: order,
    plant: everySession((session) => ({ freeze: async () => (await session.freeze()).slice(0, -1) })),
  },
  {
    fault: 'thawing goes in the order of freezing', group, caughtBy: order,
    plant: everySession((session) => ({ thaw: async () => (await session.thaw()).toReversed() })),
  },
  {
    fault: 'levels are frozen backwards', group, caughtBy: order,
    plant: withFreezing((freezing) => ({ begin: (request) => freezing.begin({ ...request, levels: request.levels.toReversed() }) })),
  },
  {
    fault: 'beginning a session freezes', group, caughtBy: 'beginning a session freezes nothing',
    plant: withFreezing((freezing) => ({ begin: async (request) => {
      const session = await freezing.begin(request);
      await session.freeze();
      return session;
    } })),
  },
  {
    fault: 'nothing is frozen, and said to be', group, caughtBy: 'a writer waits while its file system is frozen',
    plant: withFreezing((freezing) => ({ begin: async (request) => {
      const session = await freezing.begin(request);
      const targets = request.levels.flat();
      return replaced(session, {
        freeze: async () => targets.map(({ id, mountPoint }): FreezeOutcome => ({ id, mountPoint, result: 'frozen', frozenAt: 1n })),
        thaw: async () => targets.toReversed().map(({ id, mountPoint }): ThawOutcome => ({ id, mountPoint, thawed: true })),
      });
    } })),
  },
  {
    fault: 'a second thaw counts nothing', group, caughtBy: 'a second thaw of a session answers the same',
    plant: everySession((session) => {
      let times = 0;
      return { thaw: async () => ((times += 1) === 1 ? session.thaw() : []) };
    }),
  },
  {
    fault: 'the deadline is not kept', group, caughtBy: 'a session ends itself at its deadline',
    plant: withFreezing((freezing) => ({ begin: (request) => freezing.begin({ ...request, deadlineMs: 0 }) })),
  },
  {
    fault: 'a busy file system counts as frozen', group, caughtBy: 'what somebody else has frozen is busy',
    plant: everySession((session) => ({ freeze: async () => (await session.freeze()).map((one) => (one.result === 'busy' ? { ...one, result: 'frozen' as const } : one)) })),
  },
  {
    fault: 'what others thawed is an error', group, caughtBy: 'what others thawed meanwhile counts as not thawed',
    plant: everySession((session) => ({ thaw: async () => (await session.thaw()).map((one) => (one.thawed ? one : { ...one, error: 'Invalid argument' })) })),
  },
  {
    fault: 'a session begins on a mount point that is not there', group, caughtBy: 'a session for a mount point that is not there does not begin',
    plant: withFreezing((freezing) => ({ begin: async (request) => {
      try {
        return await freezing.begin(request);
      } catch {
        return freezing.begin({ ...request, levels: [] });
      }
    } })),
  },
  {
    fault: 'the survey names a file system once for each mount', group, caughtBy: 'the survey has one entry for each file system',
    plant: withFreezing((freezing) => ({ survey: async () => {
      const list = await freezing.survey();
      return [...list, ...list.slice(0, 1)];
    } })),
  },
];
