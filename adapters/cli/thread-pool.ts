// SPDX-License-Identifier: Apache-2.0
import { access } from 'node:fs';
import { devNull } from 'node:os';

/**
 * Makes libuv's threads now. It would make them for the first call that needs them, and end the process by abort() where
 * that fails: in a control group without room for more processes the agent could start, and died of the first
 * guest-file-open or freeze.
 */
export function makeThreadPool(): void {
  access(devNull, () => {});
}
