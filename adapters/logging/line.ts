// SPDX-License-Identifier: Apache-2.0
import { harmless } from '../../core/errors/harmless-text.ts';
import type { LogLevel } from '../../core/ports/index.ts';

/** Something that was said. */
export interface Entry {
  readonly level: LogLevel;
  readonly text: string;
  /** Wall clock, nanoseconds. */
  readonly at: bigint;
  /** Of the accounting log: goes to the system's log too. */
  readonly account: boolean;
}

/** Longest text of one line, in UTF-16 units: a host can make paths and messages of megabytes. */
const longest = 8192;

/** `SECONDS.MICROSECONDS: LEVEL: TEXT`, the format of qemu-ga 11.1. */
export const formatLine = ({ level, text, at }: Entry): string =>
  `${at / 1_000_000_000n}.${String((at % 1_000_000_000n) / 1000n).padStart(6, '0')}: ${level}: ${text}\n`;

/**
 * A text that stays one line, whatever was put into it: nobody can forge a line of the log with a newline in a path, move a
 * terminal's cursor, or turn the direction of what stands behind it.
 */
export function onOneLine(text: string): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}… (${text.length - longest} more)` : text;
  return harmless(cut);
}
