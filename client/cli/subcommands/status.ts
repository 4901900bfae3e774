import { ClientError } from '../../client-error.ts';
import type { GuestClient, Output } from '../../guest-client.ts';
import { jsonText } from '../print-json.ts';
import type { RunSubcommand } from '../terminal.ts';
import { reportText } from '../report-text.ts';

/** What only Concierge knows; `undefined` from any other agent. */
export async function reportOf(client: GuestClient): Promise<Output<'__org.concierge_fsfreeze-report'> | undefined> {
  try {
    return await client.execute('__org.concierge_fsfreeze-report');
  } catch (error) {
    if (ClientError.is(error) && error.agentClass === 'CommandNotFound') return undefined;
    throw error;
  }
}

export const run: RunSubcommand = async ({ client, json, stdout }) => {
  const status = await client.execute('guest-fsfreeze-status');
  const report = await reportOf(client);
  stdout.write(json ? `${jsonText({ status, report })}\n` : `${status}\n${report === undefined ? '' : reportText(report)}`);
  return 0;
};
