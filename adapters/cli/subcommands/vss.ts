// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../../core/errors/agent-error.ts';
import { version } from '../../config/product.ts';
import type { SubcommandContext } from '../subcommand.ts';

/** `concierge-ga vss install|uninstall`, on Windows. */
export async function run({ words, print }: SubcommandContext): Promise<number> {
  if (process.platform !== 'win32') throw AgentError.failed('VSS is a matter of Windows: here file systems are frozen by the kernel');
  const { demandTrustedProgram, registerProvider, unregisterProvider } = await import('../../windows/module.ts');
  switch (words[0]) {
    case 'install':
      demandTrustedProgram('vss install');
      await registerProvider(version);
      print('The VSS provider is registered.\n');
      return 0;
    case 'uninstall':
      await unregisterProvider();
      print('The VSS provider is removed.\n');
      return 0;
    default:
      throw AgentError.failed('Unknown VSS command: use vss install or uninstall');
  }
}
