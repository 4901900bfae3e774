// SPDX-License-Identifier: Apache-2.0
import { AgentError, withContext } from '../errors/agent-error.ts';
import type { ShutdownMode, SuspendMode } from '../ports/index.ts';
import { guestShutdown, guestSuspendDisk, guestSuspendHybrid, guestSuspendRam } from '../schema/power.ts';
import { available, handler, type CommandContext } from './command.ts';

const modes: ReadonlySet<string> = new Set<ShutdownMode>(['powerdown', 'halt', 'reboot']);
const isMode = (mode: string): mode is ShutdownMode => modes.has(mode);

export const shutdown = handler(guestShutdown, async ({ backend, log }, { mode }) => {
  log.account(() => `guest-shutdown called, mode: ${mode ?? '(null)'}`);
  const wanted = mode ?? 'powerdown';
  // The bracket is missing in qemu-ga 11.1, and hosts match whole texts.
  if (!isMode(wanted)) throw AgentError.failed('mode is invalid (valid values are: halt|powerdown|reboot');
  try {
    await available(backend.power?.shutdown, 'power.shutdown').shutdown(wanted);
  } catch (error) {
    throw withContext('failed to shut down', error);
  }
});

async function suspend({ backend, log }: CommandContext, mode: SuspendMode): Promise<void> {
  log.account(() => `guest-suspend-${mode} called`);
  try {
    await available(backend.power?.suspend, `power.suspend.${mode}`).suspend(mode);
  } catch (error) {
    throw withContext('failed to suspend', error);
  }
}

export const suspendDisk = handler(guestSuspendDisk, (context) => suspend(context, 'disk'));

export const suspendRam = handler(guestSuspendRam, (context) => suspend(context, 'ram'));

export const suspendHybrid = handler(guestSuspendHybrid, (context) => suspend(context, 'hybrid'));
