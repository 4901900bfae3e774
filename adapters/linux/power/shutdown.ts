import type { ShutdownMode } from '../../../core/ports/power.ts';
import type { Processes } from '../../../core/ports/processes.ts';
import { runHelperProgram } from '../programs/helper-program.ts';
import { nativeAddon } from '../native.ts';

/**
 * The init system's own program, and the flags of shutdown(8) where it is missing. The reference passes `-h` together
 * with `-r`, of which some implementations take the first.
 */
const programs: Readonly<Record<ShutdownMode, { readonly program: string; readonly flags: readonly string[] }>> = {
  powerdown: { program: '/sbin/poweroff', flags: ['-h', '-P'] },
  halt: { program: '/sbin/halt', flags: ['-h', '-H'] },
  reboot: { program: '/sbin/reboot', flags: ['-r'] },
};

/** @throws failed error `child process has failed to shutdown: …` */
export async function shutDown(mode: ShutdownMode, { root, processes }: { root: string; processes: Processes }): Promise<void> {
  const { program, flags } = programs[mode];
  const preferred = root + program;
  await runHelperProgram(
    (await nativeAddon().isExecutable(preferred))
      ? { program: preferred, arguments: [], action: 'shutdown' }
      : { program: `${root}/sbin/shutdown`, arguments: [...flags, '+0', 'hypervisor initiated shutdown'], action: 'shutdown' },
    processes,
  );
}
