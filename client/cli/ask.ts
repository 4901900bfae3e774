// SPDX-License-Identifier: Apache-2.0
import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';

import { harmless } from '../../core/errors/harmless-text.ts';

/** Asks a question and waits for one line; the end of input is an empty one. */
export async function ask(question: string, input: Readable, output: Writable): Promise<string> {
  const lines = createInterface({ input, output });
  try {
    const ended = new Promise<string>((resolve) => void lines.once('close', () => resolve('')));
    return await Promise.race([lines.question(harmless(question)), ended]);
  } finally {
    lines.close();
  }
}
