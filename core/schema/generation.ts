// SPDX-License-Identifier: Apache-2.0
import { command } from './command.ts';
import { bool, enumOf, int, listOf, optional, required, str, struct, uint64 } from './types.ts';

const clockCheck = struct('ConciergeClockCheck', {
  result: required(
    enumOf('ConciergeClockResult', ['right', 'stepped', 'left', 'refused', 'failed', 'unknown']),
    '`right`: off by no more than the limit. `left`: it is never stepped here (`clock-step-limit` 0). `refused`: off by years, which no source is believed.',
  ),
  occasion: required(
    enumOf('ConciergeClockOccasion', ['generation', 'host', 'request', 'disruption']),
    'Why it was looked at: another generation, a host that came, a request after a pause, or clocks that the hypervisor calls disturbed.',
  ),
  'checked-at': required(int, 'When, in nanoseconds since 1970-01-01 UTC, by the clock as it was afterwards.'),
  source: optional(str, 'The clock that it was compared with.'),
  'off-by': optional(int, 'By how many nanoseconds the wall clock was behind; negative: ahead.'),
  detail: optional(str, 'What went wrong, as a sentence.'),
});

const hook = struct('ConciergeGenerationHookResult', {
  name: required(str, 'The hook.'),
  ok: required(bool, 'Whether it succeeded.'),
  error: optional(str, 'Why not.'),
  output: required(str, 'What it printed, cut at the limit.'),
  'duration-ns': required(uint64, 'How long it ran, in nanoseconds.'),
});

/** What was done when the guest went on as another one. */
export const generationReport = struct('ConciergeGenerationReport', {
  number: required(int, 'How often the hypervisor has said that this guest goes on as another one, since the agent came to be.'),
  'changed-at': optional(int, 'When it was said last, by the clock as it was then; absent: never.'),
  clock: optional(clockCheck, 'The last look at the wall clock.'),
  'connections-dropped': optional(int, 'Connections to hosts that were there before and are gone.'),
  hooks: required(listOf(hook), 'What the hooks of the last generation did, in the order of running.'),
  'hooks-under-way': required(bool, 'Whether more is to come.'),
  error: optional(str, 'Why hooks were not even looked for.'),
});

/** Concierge's own, named by QAPI's rule for downstream extensions. */
export const conciergeGeneration = command({
  name: '__org.concierge_generation',
  group: 'observe',
  since: 'concierge 0.1',
  summary:
    'Tells what the guest did when it was restored or copied: how far its clock was off and what became of that, and what the hooks of '
    + '`generation-directory` said.',
  result: generationReport,
  whileFrozen: true,
  needs: 'generation',
});
