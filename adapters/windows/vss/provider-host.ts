// SPDX-License-Identifier: Apache-2.0
import { demandExport } from '../exports.ts';
import { callOnThread } from '../own-thread.ts';
import { within } from '../../shared/within.ts';

/** COM+ ends a process that has no call to make; one that hangs keeps no freeze waiting for longer. */
const limitMs = 15_000;

let stopping: Promise<unknown> | undefined;

/**
 * Ends the process in which COM+ has the provider. By itself it would keep the DLL loaded, in the way of the next version. Nobody
 * waits for it but the next freeze: what COM+ says of it is no matter of the one that is over.
 */
export function stopProvider(): void {
  const call = (async () => callOnThread(demandExport('concierge-vss.dll', 'ConciergeVssStop'), [], []))().catch(() => undefined);
  stopping = within(limitMs, call);
}

/** Resolves when no process of the provider is about to end. */
export async function providerStopped(): Promise<void> {
  await stopping;
  stopping = undefined;
}
