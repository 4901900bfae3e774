// SPDX-License-Identifier: Apache-2.0
import { ClientError } from '../client-error.ts';
import type { GuestClient } from '../guest-client.ts';

/** A frozen agent refuses most commands in words that say nothing of it: qemu-ga's, which hosts compare. Answers the error with the reason. */
export async function withFrozenHint(client: GuestClient, error: unknown): Promise<unknown> {
  if (!ClientError.is(error) || error.kind !== 'refused' || !error.message.includes('has been disabled')) return error;
  const status = await client.execute('guest-fsfreeze-status').catch(() => undefined);
  if (status !== 'frozen') return error;
  const { agentClass } = error;
  return new ClientError('refused', `${error.message} while the guest is frozen (concierge-ctl thaw ends that)`, { ...(agentClass === undefined ? {} : { agentClass }), cause: error });
}
