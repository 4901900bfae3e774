// SPDX-License-Identifier: Apache-2.0
import { terminal } from '../../spawn.ts';
import { sizeOf, talk } from '../talk.ts';
import type { RunSubcommand } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

export const run: RunSubcommand = async (context) => {
  const { client, words, isTyped = false, stdout, reconnect } = context;
  const [user = 'root'] = words;
  if (user.startsWith('-')) throw new UsageError(`'${user}' is no user`);
  if (!isTyped) throw new UsageError('login needs a terminal: standard input is none');
  const child = terminal(client, 'su', ['-', user], { ...sizeOf(stdout), ...(reconnect === undefined ? {} : { reconnect }) });
  return await talk(child, context, { hasInput: true, isRaw: true });
};
