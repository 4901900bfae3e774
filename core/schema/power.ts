// SPDX-License-Identifier: Apache-2.0
import { command } from './command.ts';
import { nothing, optional, strAmong } from './types.ts';

export const guestShutdown = command({
  name: 'guest-shutdown',
  since: '0.15',
  group: 'power',
  summary: 'Starts an orderly shutdown of the guest. The host learns of the success from the machine, not from an answer.',
  arguments: {
    mode: optional(strAmong(['powerdown', 'halt', 'reboot']), '`powerdown` (default), `halt` or `reboot`.', { shown: true }),
  },
  result: nothing,
  successResponse: false,
  needs: 'power.shutdown',
  errors: [
    ['mode is invalid (valid values are: halt|powerdown|reboot', 'another mode was given'],
    ['child process has failed to shutdown: OUTPUT', 'the system refused (Linux)'],
  ],
});

const suspendErrors = [
  ['the requested suspend mode is not supported by the guest', 'this machine cannot'],
] as const;

export const guestSuspendDisk = command({
  name: 'guest-suspend-disk',
  since: '1.1',
  group: 'power',
  summary: "Hibernates the guest: its memory goes to the guest's own disk and the machine is powered off.",
  result: nothing,
  successResponse: false,
  needs: 'power.suspend.disk',
  errors: suspendErrors,
});

export const guestSuspendRam = command({
  name: 'guest-suspend-ram',
  since: '1.1',
  group: 'power',
  summary: 'Puts the guest to sleep with its memory kept (ACPI S3). The host wakes it with `system_wakeup`.',
  result: nothing,
  successResponse: false,
  needs: 'power.suspend.ram',
  errors: suspendErrors,
});

export const guestSuspendHybrid = command({
  name: 'guest-suspend-hybrid',
  since: '1.1',
  group: 'power',
  summary: 'Saves the memory to disk and then sleeps with it kept, so that a power failure meanwhile loses nothing.',
  result: nothing,
  successResponse: false,
  needs: 'power.suspend.hybrid',
  errors: suspendErrors,
});
