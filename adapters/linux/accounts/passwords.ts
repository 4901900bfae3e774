// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../../core/errors/agent-error.ts';
import type { Accounts } from '../../../core/ports/index.ts';

/** What this needs of the system. */
export interface PasswordPrograms {
  /** access(2) with `X_OK`, off the event loop. */
  isExecutable(path: string): Promise<boolean>;
  /**
   * Runs a program with this standard input; without a slash it is searched in PATH.
   * @throws failed error `child process has failed to ACTION: …`
   */
  run(program: string, args: readonly string[], action: string, input: Uint8Array): Promise<void>;
}

const lineFeed = 0x0a;

/**
 * Passwords by chpasswd(8), which knows PAM and the local files. Its full path comes first, so that nothing that found
 * its way into PATH gets to see a password; its input is lines, hence what is refused.
 */
export function linuxPasswords(programs: PasswordPrograms): NonNullable<Accounts['passwords']> {
  return {
    set: async (user, password, crypted) => {
      if (password.includes(lineFeed) || password.includes(0)) throw AgentError.failed('forbidden characters in raw password');
      if (/[\n:\0]/.test(user)) throw AgentError.failed('forbidden characters in username');
      const installed = '/usr/sbin/chpasswd';
      const program = (await programs.isExecutable(installed)) ? installed : 'chpasswd';
      const input = Buffer.concat([Buffer.from(`${user}:`), password, Buffer.from('\n')]);
      await programs.run(program, crypted ? ['-e'] : [], 'set user password', input);
    },
  };
}
