// SPDX-License-Identifier: Apache-2.0
import { signalArgument } from '../../signal-names.ts';
import { programOf } from '../talk.ts';
import type { RunSubcommand } from '../terminal.ts';

export const run: RunSubcommand = async ({ client, words, flags }) => {
  const signal = signalArgument(flags.get('signal') ?? 'TERM') as 'TERM';
  await client.execute('__org.concierge_exec-signal', { program: programOf(words[0]), signal, ...(flags.has('group') ? { group: true } : {}) });
  return 0;
};
