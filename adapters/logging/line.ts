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

/** `SECONDS.MICROSECONDS: LEVEL: TEXT`, the format of qemu-ga 10.2. */
export const formatLine = ({ level, text, at }: Entry): string =>
  `${at / 1_000_000_000n}.${String((at % 1_000_000_000n) / 1000n).padStart(6, '0')}: ${level}: ${text}\n`;

/**
 * A text that stays one line, whatever was put into it: control characters are written as escapes, so that nobody can
 * forge a line of the log with a newline in a path, or move a terminal's cursor.
 */
export function onOneLine(text: string): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}… (${text.length - longest} more)` : text;
  return cut.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, escape);
}

const names: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

const escape = (character: string): string => {
  const code = character.codePointAt(0) ?? 0;
  return names[character] ?? (code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`);
};
