// SPDX-License-Identifier: Apache-2.0
import { harmless } from '../../../core/errors/harmless-text.ts';
import { ClientError } from '../../client-error.ts';
import type { GuestClient, Output } from '../../guest-client.ts';
import { planText } from '../plan-text.ts';
import { jsonText } from '../print-json.ts';
import { reportText, untilText } from '../report-text.ts';
import { fileSystemsText } from '../table.ts';
import type { RunSubcommand, SubcommandContext } from '../terminal.ts';
import { reportOf } from './status.ts';

export const run: RunSubcommand = async (context) => {
  const { client, words, flags, json, print, complain } = context;
  if (flags.has('dry-run')) return dryRun(context);
  const call = { timeoutMs: 600_000 };
  const count =
    words.length === 0
      ? await client.execute('guest-fsfreeze-freeze', {}, call)
      : await client.execute('guest-fsfreeze-freeze-list', { mountpoints: words }, call);
  const report = await reportOf(client);
  print(json ? `${jsonText({ frozen: count, report })}\n` : `${fileSystemsText(count)} frozen\n${report === undefined ? '' : reportText(report)}`);
  if (count > 0n) complain(`The guest stays frozen ${untilText(report)} (concierge-ctl thaw).\n`);
  return 0;
};

/** Nothing is touched. Where the agent has no plan to tell, the file systems that it names are the best guess. */
async function dryRun({ client, words, json, print, complain }: SubcommandContext): Promise<number> {
  const plan = await planOf(client, words);
  if (plan !== undefined) {
    print(json ? `${jsonText(plan)}\n` : planText(plan));
    for (const mountPoint of plan['idle-exclusions']) complain(`concierge-ctl: fsfreeze-exclude of the guest names ${harmless(mountPoint)}, where nothing is mounted\n`);
    for (const mountPoint of plan.unmatched) complain(`concierge-ctl: nothing is mounted at ${harmless(mountPoint)} (concierge-ctl fs tells the mount points)\n`);
    for (const mountPoint of plan.covered) complain(`concierge-ctl: the file system at ${harmless(mountPoint)} is covered by another mount\n`);
    return plan.unmatched.length + plan.covered.length === 0 ? 0 : 1;
  }
  const wanted = (await client.execute('guest-get-fsinfo')).filter(({ mountpoint }) => words.length === 0 || words.includes(mountpoint));
  complain('The agent is not Concierge and has no plan to tell: these are the file systems with a device of their own, in the order in which qemu-ga freezes them.\n');
  print(json
    ? `${jsonText({ filesystems: wanted.map(({ mountpoint, type, name }, index) => ({ mountpoint, type, source: name, level: index + 1 })) })}\n`
    : wanted.map(({ mountpoint }) => `${harmless(mountpoint)}\n`).join(''));
  return 0;
}

/** `undefined` from an agent that has no such command. One that has it and may not answer is an error. */
async function planOf(client: GuestClient, words: readonly string[]): Promise<Output<'__org.concierge_fsfreeze-plan'> | undefined> {
  try {
    return await client.execute('__org.concierge_fsfreeze-plan', words.length === 0 ? {} : { mountpoints: words }, { timeoutMs: 30_000 });
  } catch (error) {
    if (ClientError.is(error) && error.agentClass === 'CommandNotFound' && !error.message.includes('has been disabled')) return undefined;
    throw error;
  }
}
