// SPDX-License-Identifier: Apache-2.0
import { command } from './command.ts';
import { bool, int, listOf, nothing, required, str, struct } from './types.ts';

export const guestSyncDelimited = command({
  name: 'guest-sync-delimited',
  since: '1.1',
  group: 'observe',
  summary:
    'Gives a number back, with a byte 0xFF in front of the answer, so that the host finds the place in the stream at which '
    + 'answers to its own requests begin.',
  arguments: { id: required(int, 'A number that the host has chosen at random.') },
  result: int,
  resultDoc: 'The same number.',
  whileFrozen: true,
  sentinel: true,
});

export const guestSync = command({
  name: 'guest-sync',
  since: '0.15',
  group: 'observe',
  summary: 'Gives a number back, so that the host can tell which answers are to its own requests.',
  arguments: { id: required(int, 'A number that the host has chosen at random.') },
  result: int,
  resultDoc: 'The same number.',
  whileFrozen: true,
});

export const guestPing = command({
  name: 'guest-ping',
  since: '0.15',
  group: 'observe',
  summary: 'Does nothing: an answer shows that the agent is there.',
  result: nothing,
  whileFrozen: true,
});

export const guestAgentCommandInfo = struct(
  'GuestAgentCommandInfo',
  {
    name: required(str, 'The command.'),
    enabled: required(bool, 'Whether it may be called at this moment: neither policy nor a freeze forbids it.'),
    'success-response': required(bool, 'Whether there is an answer when it succeeds.'),
  },
  ['enabled', 'name', 'success-response'],
);

export const guestAgentInfo = struct('GuestAgentInfo', {
  version: required(str, 'The release of the agent.'),
  supported_commands: required(listOf(guestAgentCommandInfo), 'Every command of this guest, the newest first.'),
});

export const guestInfo = command({
  name: 'guest-info',
  since: '0.15',
  group: 'observe',
  summary: 'Tells the release of the agent and which commands it has.',
  result: guestAgentInfo,
  whileFrozen: true,
});
