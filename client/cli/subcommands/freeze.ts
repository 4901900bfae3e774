import { ClientError } from '../../client-error.ts';
import { exec } from '../../exec.ts';
import type { GuestClient } from '../../guest-client.ts';
import { jsonText } from '../print-json.ts';
import { reportText } from '../report-text.ts';
import { fileSystemsText, printable } from '../table.ts';
import type { RunSubcommand, SubcommandContext } from '../terminal.ts';
import { reportOf } from './status.ts';

export const run: RunSubcommand = async (context) => {
  const { client, words, flags, json, stdout, stderr } = context;
  if (flags.has('dry-run')) return dryRun(context);
  const call = { timeoutMs: 600_000 };
  const count =
    words.length === 0
      ? await client.execute('guest-fsfreeze-freeze', {}, call)
      : await client.execute('guest-fsfreeze-freeze-list', { mountpoints: words }, call);
  const report = await reportOf(client);
  stdout.write(json ? `${jsonText({ frozen: count, report })}\n` : `${fileSystemsText(count)} frozen\n${report === undefined ? '' : reportText(report)}`);
  if (count > 0n) stderr.write('The guest stays frozen until `concierge-ctl thaw`, or its own deadline.\n');
  return 0;
};

/** The protocol has no such question: the guest's own program is asked, where it has one. Nothing is touched either way. */
async function dryRun({ client, words, json, stdout, stderr }: SubcommandContext): Promise<number> {
  const answer = await planOfGuest(client, [...(json ? ['--json'] : []), ...words]);
  if (answer !== undefined) {
    stdout.write(answer.stdout);
    stderr.write(answer.stderr);
    return answer.exitCode ?? 1;
  }
  const wanted = (await client.execute('guest-get-fsinfo')).filter(({ mountpoint }) => words.length === 0 || words.includes(mountpoint));
  const mountPoints = wanted.map(({ mountpoint }) => mountpoint);
  stderr.write('The guest has no concierge-ga that could be asked: these are the file systems with a device of their own, in the order in which qemu-ga freezes them.\n');
  stdout.write(json ? `${jsonText({ levels: mountPoints.map((mountPoint) => [{ mountPoint }]) })}\n` : mountPoints.map((mountPoint) => `${printable(mountPoint)}\n`).join(''));
  return 0;
}

async function planOfGuest(client: GuestClient, words: readonly string[]) {
  try {
    return await exec(client, 'concierge-ga', { arguments: ['freeze', '--dry-run', ...words], withinMs: 30_000 });
  } catch (error) {
    if (ClientError.is(error) && error.kind === 'refused') return undefined;
    throw error;
  }
}
