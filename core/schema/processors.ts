// SPDX-License-Identifier: Apache-2.0
import { command } from './command.ts';
import { bool, double, enumOf, int, listOf, optional, required, struct, uint64 } from './types.ts';

export const guestLogicalProcessor = struct(
  'GuestLogicalProcessor',
  {
    'logical-id': required(int, "The guest's own number of the processor."),
    online: required(bool, 'Whether it runs.'),
    'can-offline': optional(bool, 'Whether it can be taken off line. Always there in answers, passed over in arguments.'),
  },
  ['online', 'can-offline', 'logical-id'],
);

export const guestGetVcpus = command({
  name: 'guest-get-vcpus',
  since: '1.5',
  group: 'observe',
  summary: 'Lists logical processors.',
  result: listOf(guestLogicalProcessor),
  resultDoc: 'By number.',
  needs: 'processors.online',
});

export const guestSetVcpus = command({
  name: 'guest-set-vcpus',
  since: '1.5',
  group: 'hardware',
  summary: 'Brings logical processors up or down, one after the other, and stops at the first failure.',
  arguments: { vcpus: required(listOf(guestLogicalProcessor), 'What is wanted; processors that are not named stay as they are.') },
  result: int,
  resultDoc: 'How many, counted from the start of the list, are as wanted. An error only if not even the first is.',
  needs: 'processors.online.switching',
  errors: [
    ["logical processor #N can't be offlined", 'the system has no switch for it'],
    ["Could not open '/sys/devices/system/cpu/cpuN/': STRERROR", 'there is no such processor (Linux)'],
  ],
});

export const guestCpuStats = struct(
  'GuestCpuStats',
  {
    type: required(enumOf('GuestCpuStatsType', ['linux']), 'Which counters follow.'),
    cpu: required(int, 'Number of the processor.'),
    user: required(uint64, 'In user mode. All times are milliseconds since boot.'),
    nice: required(uint64, 'In user mode with low priority.'),
    system: required(uint64, 'In the kernel.'),
    idle: required(uint64, 'Doing nothing.'),
    iowait: optional(uint64, 'Doing nothing while input or output was awaited.'),
    irq: optional(uint64, 'Serving interrupts.'),
    softirq: optional(uint64, 'Serving soft interrupts.'),
    steal: optional(uint64, 'Ready to run while the host ran something else.'),
    guest: optional(uint64, 'Running a guest of its own.'),
    guestnice: optional(uint64, 'Running a guest of its own with low priority.'),
  },
  ['cpu', 'guestnice', 'idle', 'steal', 'iowait', 'system', 'guest', 'nice', 'irq', 'type', 'user', 'softirq'],
);

export const guestGetCpustats = command({
  name: 'guest-get-cpustats',
  since: '7.1',
  group: 'observe',
  summary: 'Tells how each processor has spent its time.',
  result: listOf(guestCpuStats),
  resultDoc: 'One entry for each processor that is on line; counters that the kernel does not keep are absent.',
  needs: 'processors.statistics',
});

export const guestLoadAverage = struct(
  'GuestLoadAverage',
  {
    load1m: required(double, 'Over one minute.'),
    load5m: required(double, 'Over five minutes.'),
    load15m: required(double, 'Over fifteen minutes.'),
  },
  ['load15m', 'load5m', 'load1m'],
);

export const guestGetLoad = command({
  name: 'guest-get-load',
  since: '10.0',
  group: 'observe',
  summary: 'Tells how many tasks were running or wanted to, on average.',
  result: guestLoadAverage,
  needs: 'processors.load',
});
