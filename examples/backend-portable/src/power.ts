// SPDX-License-Identifier: Apache-2.0
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { AgentError, type Power, type ShutdownMode } from 'concierge-ga/kit';

const run = promisify(execFile);

/** shutdown(8) differs: what switches the power off on Linux, macOS and the BSDs. */
const optionOf = (mode: ShutdownMode, platform: NodeJS.Platform): string => {
  if (mode === 'reboot') return '-r';
  if (mode === 'halt') return platform === 'linux' ? '-H' : '-h';
  return platform === 'linux' || platform === 'darwin' ? '-h' : '-p';
};

/** @param execute starts a program and resolves once it has ended well; replaced by a test */
export const power = (execute: (program: string, words: readonly string[]) => Promise<unknown> = run): Power => ({
  shutdown: {
    shutdown: async (mode) => {
      try {
        await execute('/sbin/shutdown', [optionOf(mode, process.platform), 'now']);
      } catch (error) {
        throw AgentError.failed(`shutdown(8) failed: ${error instanceof Error ? error.message : String(error)}`, error);
      }
    },
  },
});
