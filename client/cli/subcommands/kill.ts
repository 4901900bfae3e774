// SPDX-License-Identifier: Apache-2.0
import { signalNames } from '../../../core/schema/programs.ts';
import { signalArgument } from '../../signal-names.ts';
import { programOf } from '../talk.ts';
import type { RunSubcommand } from '../terminal.ts';
import { UsageError } from '../usage-error.ts';

export const run: RunSubcommand = async ({ client, words, flags }) => {
  const given = flags.get('signal') ?? 'TERM';
  const signal = signalArgument(given) as 'TERM';
  if (typeof signal !== 'number' && !signalNames.includes(signal)) {
    throw new UsageError(`there is no signal '${given}': there are ${signalNames.join(', ')}, and numbers from 1 to 64`);
  }
  await client.execute('__org.concierge_exec-signal', { program: programOf(words[0]), signal, ...(flags.has('group') ? { group: true } : {}) });
  return 0;
};
