// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../errors/agent-error.ts';

/**
 * The text of an authorized_keys file, as sshd(8) reads it: one key a line, empty lines and lines that begin with `#` say
 * nothing. What a host does not ask to be changed stays as it is, comments included.
 */

// The carriage return is a file's from Windows; with it a key would be another one for the eye alone.
const bare = (line: string): string => (line.endsWith('\r') ? line.slice(0, -1) : line);

const isBlank = (character: string | undefined): boolean => character !== undefined && ' \t\r\n\v\f'.includes(character);

/** By hand: an expression that ends in `$` tries every run of blanks from each of its places, and the file is a user's. */
function trimmed(line: string): string {
  let start = 0;
  let end = line.length;
  while (start < end && isBlank(line[start])) start += 1;
  while (end > start && isBlank(line[end - 1])) end -= 1;
  return line.slice(start, end);
}

const linesOf = (text: string): string[] => {
  const lines = text.split('\n');
  // What follows the last line feed is no line.
  if (lines.at(-1) === '') lines.pop();
  return lines;
};

const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

const hasControlCharacter = (text: string): boolean => {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return true;
  }
  return false;
};

/**
 * Keys that a host has sent, ready for the file: once each and without empty ones, which libvirt sends where it has none.
 * Anything else that fits on a line passes: options in front of a key are the administrator's affair.
 *
 * @throws AgentError `invalid OpenSSH public key: 'KEY'`: a comment, or a control character other than tab
 */
export function checkedKeys(keys: readonly string[]): readonly string[] {
  const lines = keys.map((key) => {
    const line = bare(key);
    if (line.startsWith('#') || hasControlCharacter(line)) throw AgentError.failed(`invalid OpenSSH public key: '${key}'`);
    return line;
  });
  return [...new Set(lines)].filter((line) => trimmed(line) !== '');
}

/** Keys of a file, the last one first (qemu-ga 11.1). */
export const keysIn = (text: string): readonly string[] =>
  linesOf(text).map(trimmed).filter((line) => line !== '' && !line.startsWith('#')).toReversed();

/** The file with `keys` at its end, those left out that are in it already. */
export function withKeys(text: string, keys: readonly string[]): string {
  const lines = linesOf(text);
  const present = new Set(lines.map(bare));
  return textOf([...lines, ...keys.filter((key) => !present.has(key))]);
}

/** The file without `keys`, or `undefined` where it has none of them. */
export function withoutKeys(text: string, keys: readonly string[]): string | undefined {
  const unwanted = new Set(keys);
  const lines = linesOf(text);
  const kept = lines.filter((line) => !unwanted.has(bare(line)));
  return kept.length === lines.length ? undefined : textOf(kept);
}
