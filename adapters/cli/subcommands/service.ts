// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../../core/errors/agent-error.ts';
import type { SubcommandContext } from '../subcommand.ts';

/** `concierge-ga service install|uninstall|start|stop`, on Windows. */
export async function run({ words, settings, print }: SubcommandContext): Promise<number> {
  if (process.platform !== 'win32') throw AgentError.failed('services are a matter of systemd here: see docs/install.md');
  const { demandTrustedProgram, installService, windowsGuard, startService, stopService, uninstallService } = await import('../../windows/module.ts');
  switch (words[0]) {
    case 'install':
      demandTrustedProgram('service install');
      windowsGuard.makeFolder(settings.statedir);
      // The options before it are the service's.
      installService([process.execPath, ...process.execArgv, process.argv[1] ?? '', ...optionsOf(settings), '-d', '--retry-path']);
      print('Service was installed successfully.\n');
      return 0;
    case 'uninstall':
      await uninstallService();
      print('Service was deleted successfully.\n');
      return 0;
    case 'start':
      await startService();
      return 0;
    case 'stop':
      await stopService();
      return 0;
    default:
      throw AgentError.failed('Unknown service command: use service install, uninstall, start or stop');
  }
}

/** What of the settings is not as it would be without them. */
function optionsOf({ method, path, logfile, statedir, verbose }: SubcommandContext['settings']): readonly string[] {
  return [
    `--method=${method}`,
    ...(path === undefined ? [] : [`--path=${path}`]),
    ...(logfile === undefined ? [] : [`--logfile=${logfile}`]),
    `--statedir=${statedir}`,
    ...(verbose ? ['-v'] : []),
  ];
}
