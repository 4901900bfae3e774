// SPDX-License-Identifier: Apache-2.0
import { int, listOf, optional, required, str, struct, uint64 } from './types.ts';

const fileSystem = struct('ConciergePlannedFilesystem', {
  mountpoint: required(str, 'Where it is mounted.'),
  'also-mounted-at': required(listOf(str), 'Its other mount points.'),
  type: required(str, 'Its type, as in /proc/self/mountinfo.'),
  source: required(str, 'What is mounted there.'),
  level: required(int, 'File systems of one level are frozen side by side, level 1 first.'),
  'dirty-bytes': optional(uint64, 'Bytes that have to be written back first, where the system tells.'),
  'flush-estimate-ms': optional(uint64, 'How long that is likely to take, in milliseconds.'),
});

const leftOut = struct('ConciergePlannedOmission', {
  mountpoint: required(str, 'Where it is mounted.'),
  type: required(str, 'Its type.'),
  reason: required(str, 'The rule in one word: `read-only`, `network`, `fuse`, `overlay`, `pseudo`, `excluded` and so on.'),
  detail: required(str, 'The same as a sentence.'),
});

const hook = struct('ConciergePlannedHook', {
  name: required(str, 'The hook.'),
  refused: optional(str, 'Why it will not run.'),
});

/** What a freeze would do. */
export const freezePlan = struct('ConciergeFreezePlan', {
  filesystems: required(listOf(fileSystem), 'Those that would be frozen, in the order of freezing.'),
  'left-out': required(listOf(leftOut), 'Those that would not, and why.'),
  unmatched: required(listOf(str), 'Mount points of the request at which nothing is mounted.'),
  covered: required(listOf(str), 'Mount points of the request whose file system other mounts cover: a freeze that names one fails.'),
  'idle-exclusions': required(listOf(str), 'Mount points of `fsfreeze-exclude` at which nothing is mounted.'),
  'cut-cycles': required(listOf(str), 'Where a ring of file systems that rest on each other would be cut open.'),
  hooks: required(listOf(hook), 'Hooks, in the order in which they would run before the freeze.'),
});
