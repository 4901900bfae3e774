// SPDX-License-Identifier: Apache-2.0
import { nameOfSignal } from '../../signal-names.ts';
import { jsonText } from '../print-json.ts';
import { timeText } from '../table.ts';
import type { RunSubcommand } from '../terminal.ts';

/** Of a program that was started without a user: the agent's own, whose name it does not tell. No account's name has brackets. */
const ownUser = '(agent)';

export const run: RunSubcommand = async ({ client, json, print, showTable }) => {
  const list = await client.execute('__org.concierge_exec-list');
  if (json) print(`${jsonText(list)}\n`);
  else {
    showTable(
      [{ title: 'PROGRAM' }, { title: 'PID' }, { title: 'USER' }, { title: 'STARTED' }, { title: 'STATE' }, { title: 'PATH' }],
      list.map(({ program, pid, user = ownUser, started, path, ...rest }) => [program.toString(), pid.toString(), user, timeText(Number(started / 1_000_000n)), stateOf(rest), path]),
    );
  }
  return 0;
};

function stateOf({ exited, exitcode, signal, terminal }: { readonly exited: boolean; readonly exitcode?: bigint; readonly signal?: bigint; readonly terminal?: object }): string {
  if (signal !== undefined) return nameOfSignal(Number(signal));
  if (exited) return `ended with ${exitcode ?? 0n}`;
  return terminal === undefined ? 'runs' : 'runs on a terminal';
}
