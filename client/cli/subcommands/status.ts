// SPDX-License-Identifier: Apache-2.0
import { harmless } from '../../../core/errors/harmless-text.ts';
import { ClientError } from '../../client-error.ts';
import type { GuestClient, Output } from '../../guest-client.ts';
import { jsonText } from '../print-json.ts';
import type { RunSubcommand } from '../terminal.ts';
import { reportText, untilText } from '../report-text.ts';

/** What only Concierge knows; `undefined` from any other agent. */
export async function reportOf(client: GuestClient): Promise<Output<'__org.concierge_fsfreeze-report'> | undefined> {
  try {
    return await client.execute('__org.concierge_fsfreeze-report');
  } catch (error) {
    if (ClientError.is(error) && error.agentClass === 'CommandNotFound') return undefined;
    throw error;
  }
}

export const run: RunSubcommand = async ({ client, json, print }) => {
  const status = await client.execute('guest-fsfreeze-status');
  const report = await reportOf(client);
  if (json) print(`${jsonText({ status, report })}\n`);
  else print(`${status === 'frozen' ? `frozen\nstays so ${untilText(report)}` : harmless(status)}\n${report === undefined ? '' : reportText(report)}`);
  return 0;
};
