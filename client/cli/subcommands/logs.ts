// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import type { Writable } from 'node:stream';

import { harmlessLines } from '../../../core/errors/harmless-text.ts';
import { attach } from '../../spawn.ts';
import { programOf, talk } from '../talk.ts';
import type { RunSubcommand } from '../terminal.ts';

const MOST = 1024 * 1024;

export const run: RunSubcommand = async (context) => {
  const { client, words, flags, stdout, stderr, isScreen = false, isWatched, reconnect } = context;
  const program = programOf(words[0]);
  if (flags.has('follow')) return await talk(attach(client, program, reconnect === undefined ? {} : { reconnect }), context, { hasInput: false, isRaw: false });
  // Without offsets nothing is forgotten.
  const { output = '', errors = '' } = await client.execute('__org.concierge_exec-exchange', { program, 'wait-ms': 0, size: MOST });
  show(output, stdout, isScreen);
  show(errors, stderr, isWatched);
  return 0;
};

function show(base64: string, to: Writable, isTerminal: boolean): void {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length > 0) to.write(isTerminal ? harmlessLines(bytes.toString('utf8')) : bytes);
}
