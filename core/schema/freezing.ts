// SPDX-License-Identifier: Apache-2.0
import { command } from './command.ts';
import { freezePlan } from './freeze-plan.ts';
import { freezeReport } from './freeze-report.ts';
import { enumOf, int, listOf, optional, required, str, struct } from './types.ts';

export const guestFsfreezeStatusResult = enumOf('GuestFsfreezeStatus', ['thawed', 'frozen']);

export const guestFsfreezeStatus = command({
  name: 'guest-fsfreeze-status',
  since: '0.15',
  group: 'observe',
  summary: 'Tells whether file systems are frozen by this agent.',
  result: guestFsfreezeStatusResult,
  whileFrozen: true,
  needs: 'fileSystem.freezing',
});

const freezeErrors = [
  ['child process has failed to execute fsfreeze hook: OUTPUT', 'a hook vetoed the freeze'],
  ['failed to open DIR: STRERROR', 'a mount point cannot be opened'],
  ['failed to freeze DIR: STRERROR', 'a file system did not freeze; those frozen before it have been thawed'],
] as const;

export const guestFsfreezeFreeze = command({
  name: 'guest-fsfreeze-freeze',
  since: '0.15',
  group: 'freeze',
  concernsAll: 'mountPoints',
  summary:
    'Freezes every file system that can be frozen, so that a copy of the disks taken from outside is consistent. Until the '
    + 'thaw, or the deadline of `freeze-timeout`, everything that writes to them waits.',
  result: int,
  resultDoc: 'How many were frozen.',
  needs: 'fileSystem.freezing',
  errors: freezeErrors,
});

export const guestFsfreezeFreezeList = command({
  name: 'guest-fsfreeze-freeze-list',
  since: '2.2',
  group: 'freeze',
  summary: 'Freezes file systems like guest-fsfreeze-freeze, but only those named.',
  arguments: {
    mountpoints: optional(listOf(str), 'Where they are mounted. Absent: all; empty: none.', { judged: 'mountPoints', shown: true }),
  },
  result: int,
  resultDoc: 'How many were frozen.',
  needs: 'fileSystem.freezing',
  errors: [
    ...freezeErrors,
    ['failed to freeze DIR: no file system is mounted there', 'a name is no mount point (with `freeze-list-unknown=ignore` it is passed over)'],
    ['failed to freeze DIR: the file system there is covered by another mount', 'nothing can open it'],
  ],
});

export const guestFsfreezeThaw = command({
  name: 'guest-fsfreeze-thaw',
  since: '0.15',
  group: 'freeze',
  summary: 'Thaws every frozen file system, by whomever it was frozen. Allowed at any time.',
  result: int,
  resultDoc: 'How many were thawed.',
  whileFrozen: true,
  needs: 'fileSystem.freezing',
  errors: [['child process has failed to execute fsfreeze hook: OUTPUT', 'a hook failed; everything is thawed nevertheless']],
});

export const guestFilesystemTrimResult = struct(
  'GuestFilesystemTrimResult',
  {
    path: required(str, 'Where the file system is mounted.'),
    trimmed: optional(int, 'Bytes discarded.'),
    minimum: optional(int, 'The smallest free range that was considered, as the kernel rounded it.'),
    error: optional(str, 'Why it could not be trimmed; the two others are absent then.'),
  },
  ['minimum', 'path', 'trimmed', 'error'],
);

export const guestFilesystemTrimResponse = struct('GuestFilesystemTrimResponse', {
  paths: required(listOf(guestFilesystemTrimResult), 'One entry for each file system; the one mounted last comes first.'),
});

export const guestFstrim = command({
  name: 'guest-fstrim',
  since: '1.2',
  group: 'freeze',
  concernsAll: 'mountPoints',
  summary: 'Tells the disks which blocks are unused, on every mounted file system that can.',
  arguments: { minimum: optional(int, 'Free ranges of fewer bytes than this are left alone; 0 by default.') },
  result: guestFilesystemTrimResponse,
  needs: 'fileSystem.trimming',
});

/** Concierge's own, named by QAPI's rule for downstream extensions. */
export const conciergeFsfreezeReport = command({
  name: '__org.concierge_fsfreeze-report',
  since: 'concierge 0.1',
  group: 'observe',
  summary:
    'Reports on the freeze that is on, or else on the last one of this agent: what was frozen, how long it took, what was '
    + 'left out and why, what the hooks said and how it ended.',
  result: freezeReport,
  whileFrozen: true,
  needs: 'fileSystem.freezing',
});

export const conciergeFsfreezePlan = command({
  name: '__org.concierge_fsfreeze-plan',
  since: 'concierge 0.1',
  group: 'observe',
  summary:
    'Tells what a freeze would do now: which file systems it would freeze, in which order, what it would leave out and why, and '
    + 'which hooks it would run. Nothing is opened for writing, flushed, frozen or run.',
  arguments: {
    mountpoints: optional(listOf(str), 'As for guest-fsfreeze-freeze-list. Absent: all.', { judged: 'mountPoints', shown: true }),
  },
  result: freezePlan,
  needs: 'fileSystem.freezing',
});
