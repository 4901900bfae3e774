// SPDX-License-Identifier: Apache-2.0
import { bool, enumOf, int, listOf, optional, required, str, strAmong, struct, uint64 } from './types.ts';

const fileSystem = struct('ConciergeFrozenFilesystem', {
  mountpoint: required(str, 'Where it is mounted.'),
  result: required(enumOf('ConciergeFreezeResult', ['frozen', 'unsupported', 'busy', 'failed']), 'What came of freezing it.'),
  error: optional(str, 'Why freezing failed.'),
  'flush-ns': optional(uint64, 'How long it took to write back what was dirty, in nanoseconds.'),
  'freeze-ns': optional(uint64, 'How long the freeze itself took, in nanoseconds.'),
  'frozen-at': optional(int, 'When it was frozen, in nanoseconds since 1970-01-01 UTC.'),
  'thawed-at': optional(int, 'When it was thawed.'),
  'thaw-error': optional(str, 'Why thawing failed.'),
});

const leftOut = struct('ConciergeLeftOutFilesystem', {
  mountpoint: required(str, 'Where it is mounted.'),
  reason: required(str, 'The rule in one word: `read-only`, `network`, `fuse`, `overlay`, `pseudo` and so on.'),
  detail: required(str, 'The same as a sentence.'),
});

const hook = struct('ConciergeHookResult', {
  name: required(str, 'The hook.'),
  phase: required(enumOf('ConciergeHookPhase', ['freeze', 'freezefail', 'thaw']), 'What it was called for.'),
  ok: required(bool, 'Whether it succeeded.'),
  error: optional(str, 'Why not.'),
  output: required(str, 'What it printed, cut at the limit.'),
  'duration-ns': required(uint64, 'How long it ran, in nanoseconds.'),
});

/** What a freeze did, file system by file system. */
export const freezeReport = struct('ConciergeFreezeReport', {
  status: required(enumOf('GuestFsfreezeStatus', ['thawed', 'frozen']), 'How it is now.'),
  'started-at': optional(int, 'When the freeze was asked for, in nanoseconds since 1970-01-01 UTC; absent: there was none.'),
  'deadline-at': optional(int, 'While it is on: when it ends by itself, at the latest (`freeze-timeout`); absent: never.'),
  'ended-at': optional(int, 'When it ended.'),
  'ended-by': optional(
    strAmong(['thaw', 'failure', 'nothing-frozen', 'deadline', 'holder-lost', 'system-limit', 'elsewhere']),
    'What ended it: `thaw`, `failure`, `nothing-frozen`, `deadline`, `holder-lost`, `system-limit`, `elsewhere` (somebody in the guest).',
  ),
  detail: optional(str, 'The same as a sentence.'),
  filesystems: required(listOf(fileSystem), 'Those that were to be frozen, in the order of freezing.'),
  'left-out': required(listOf(leftOut), 'Those that were not, and why.'),
  hooks: required(listOf(hook), 'What the hooks did, in the order of running.'),
  warnings: optional(listOf(str), 'What went wrong beside it, as with an application whose data lies on nothing that was frozen.'),
});
