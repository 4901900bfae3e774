// SPDX-License-Identifier: Apache-2.0
import { AgentError, messageOf } from '../../../core/errors/agent-error.ts';
import type { ShutdownMode } from '../../../core/ports/power.ts';
import { runHelperProgram, type HelperProgram } from '../programs/helper-program.ts';
import { nativeAddon } from '../native.ts';
import type { PowerSystem } from './power-system.ts';

/** The init system's own program in /sbin, and the flags of shutdown(8) and the verb of systemctl(1) for the same. */
const words: Readonly<Record<ShutdownMode, { readonly program: string; readonly flags: readonly string[] }>> = {
  // The reference passes `-h` together with `-r`, of which some implementations take the first.
  powerdown: { program: 'poweroff', flags: ['-h', '-P'] },
  halt: { program: 'halt', flags: ['-h', '-H'] },
  reboot: { program: 'reboot', flags: ['-r'] },
};

/** Searched after the directories of PATH: the agent's own may be short. */
const standardDirectories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/**
 * Shuts down with the first of these that is there: the program of the init system in /sbin, shutdown(8), systemctl(1), and
 * the first two wherever PATH has them. Without any, the kernel is told, and no service is stopped before.
 *
 * @throws failed error `child process has failed to shutdown: …`
 */
export async function shutDown(mode: ShutdownMode, { root, processes, path, kernel }: PowerSystem): Promise<void> {
  const { program, flags } = words[mode];
  const shutdownArguments = [...flags, '+0', 'hypervisor initiated shutdown'];
  const directories = [...path, ...standardDirectories].filter((directory) => directory.startsWith('/'));
  const ways: readonly (readonly [files: readonly string[], words: readonly string[]])[] = [
    [[`/sbin/${program}`], []],
    [['/sbin/shutdown'], shutdownArguments],
    [directories.map((directory) => `${directory}/systemctl`), [program]],
    [directories.map((directory) => `${directory}/${program}`), []],
    [directories.map((directory) => `${directory}/shutdown`), shutdownArguments],
  ];
  for (const [files, given] of ways) {
    const found = await firstProgram(files.map((file) => root + file));
    if (found !== undefined) {
      const helper: HelperProgram = { program: found, arguments: given, action: 'shutdown' };
      await runHelperProgram(helper, processes);
      return;
    }
  }
  await tellKernel(mode, kernel);
}

async function firstProgram(files: readonly string[]): Promise<string | undefined> {
  for (const file of files) if (await nativeAddon().isExecutable(file)) return file;
  return undefined;
}

async function tellKernel(mode: ShutdownMode, kernel: PowerSystem['kernel']): Promise<void> {
  const none = `child process has failed to shutdown: there is no /sbin/${words[mode].program}, /sbin/shutdown or systemctl, nor one of them in PATH`;
  if (kernel === undefined) throw AgentError.failed(none);
  try {
    await kernel.reboot(mode);
  } catch (error) {
    throw AgentError.failed(`${none}, and the kernel refuses: ${messageOf(error)}`, error);
  }
}
