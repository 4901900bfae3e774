// SPDX-License-Identifier: Apache-2.0
import { ClientError } from '../../client-error.ts';
import { jsonText } from '../print-json.ts';
import { timeText } from '../table.ts';
import type { RunSubcommand } from '../terminal.ts';

/** What an agent refuses (a command that it lacks, or that is blocked) is a gap in the answer, not the end of it. */
async function orNothing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (ClientError.is(error) && error.kind === 'refused') return undefined;
    throw error;
  }
}

export const run: RunSubcommand = async ({ client, json, print, showPairs }) => {
  const agent = await client.execute('guest-info');
  const host = await orNothing(client.execute('guest-get-host-name'));
  const os = await orNothing(client.execute('guest-get-osinfo'));
  const time = await orNothing(client.execute('guest-get-time'));
  const zone = await orNothing(client.execute('guest-get-timezone'));
  const frozen = await orNothing(client.execute('guest-fsfreeze-status'));
  if (json) {
    print(`${jsonText({ agent, 'host-name': host?.['host-name'], os, time, 'time-zone': zone, freeze: frozen })}\n`);
    return 0;
  }
  const commands = agent.supported_commands;
  const off = commands.filter(({ enabled }) => !enabled).map(({ name }) => name);
  showPairs([
    ['agent', agent.version],
    ['host name', host?.['host-name']],
    ['system', os?.['pretty-name'] ?? os?.name],
    ['kernel', os?.['kernel-release']],
    ['time', time === undefined ? undefined : timeText(Number(time / 1_000_000n))],
    ['time zone', zone === undefined ? undefined : (zone.zone ?? `${zone.offset} s east of UTC`)],
    ['freeze', frozen],
    ['commands', `${commands.length}, ${commands.length - off.length} enabled`],
    ['disabled', off.toSorted().join(', ')],
  ]);
  return 0;
};
