// SPDX-License-Identifier: Apache-2.0
import type { Readable } from 'node:stream';
import { expect } from 'vitest';

/** A program on a terminal, and somebody in front of it. */
export interface OnTerminal extends Screen {
  readonly type: (keys: string) => void;
  /** Its exit status. */
  readonly ended: Promise<number>;
}

export interface Screen {
  /** Waits for these words, from where the last wait has ended. */
  readonly until: (words: string) => Promise<void>;
}

/** What a terminal has shown, a character for each byte. */
export function screenOf(output: Readable | null, within: number): Screen {
  let [all, seen] = ['', 0];
  output?.on('data', (chunk: Buffer) => (all += chunk.toString('latin1')));
  return {
    until: async (words) => {
      await expect.poll(() => all.slice(seen), { timeout: within }).toContain(words);
      seen = all.indexOf(words, seen) + words.length;
    },
  };
}
