// SPDX-License-Identifier: Apache-2.0
import { command } from './command.ts';
import { int, nothing, optional } from './types.ts';

export const guestGetTime = command({
  name: 'guest-get-time',
  since: '1.5',
  group: 'observe',
  summary: "Asks the guest's wall clock.",
  result: int,
  resultDoc: 'Nanoseconds since 1970-01-01 UTC, in whole microseconds.',
  needs: 'clock',
});

export const guestSetTime = command({
  name: 'guest-set-time',
  since: '1.5',
  group: 'hardware',
  summary:
    "Sets the guest's wall clock and then its hardware clock. Without a time the wall clock is set from that of the hypervisor, where the "
    + 'guest has one (PTP), or else from the hardware clock, which is what a guest needs after it was suspended or restored.',
  arguments: {
    time: optional(int, 'Nanoseconds since 1970-01-01 UTC. Absent: take the time from the hypervisor or the hardware clock.'),
  },
  result: nothing,
  needs: 'clock.setting',
  errors: [
    ['Invalid time', 'the time lies before 1970 or after 2069'],
    ['Failed to set time to guest: STRERROR', 'the system did not take it'],
    ['child process has failed to set hardware clock to system time: OUTPUT', 'the hardware clock refused (Linux)'],
  ],
});
