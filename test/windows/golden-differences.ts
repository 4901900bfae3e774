// SPDX-License-Identifier: Apache-2.0
/**
 * Recordings that cannot give the same bytes on Windows, by group and name, with the command that does not exist there, as it
 * does not in qemu-ga 10.2. There are no others: what differs on Linux too is in test/wire/differences.ts.
 */
export const absentCommands: Readonly<Record<string, string>> = {
  'args/guest-get-memory-blocks extra': 'guest-get-memory-blocks',
  'args/guest-get-memory-block-info extra': 'guest-get-memory-block-info',
  'args/guest-set-vcpus none': 'guest-set-vcpus',
  'args/guest-set-memory-blocks none': 'guest-set-memory-blocks',
  'args/set-vcpus list-number': 'guest-set-vcpus',
  'args/set-vcpus elem-number': 'guest-set-vcpus',
  'args/set-vcpus elem-empty': 'guest-set-vcpus',
  'args/set-vcpus elem-missing-online': 'guest-set-vcpus',
  'args/set-vcpus elem-wrong': 'guest-set-vcpus',
  'args/set-vcpus online-number': 'guest-set-vcpus',
  'args/set-memory-blocks elem-empty': 'guest-set-memory-blocks',
  'args/set-memory-blocks negative': 'guest-set-memory-blocks',
};
