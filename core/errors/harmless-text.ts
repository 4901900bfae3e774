// SPDX-License-Identifier: Apache-2.0
/**
 * What a terminal, a log or somebody who reads either could be deceived by: control characters of C0 and C1 (escape sequences,
 * new lines), format characters (bidirectional overrides, invisible ones), line and paragraph separators, lone surrogates.
 */
const harmful = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
const allHarmful = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

const names: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

const hexadecimal = (code: number, digits: number): string => code.toString(16).padStart(digits, '0');

function escape(character: string): string {
  const code = character.codePointAt(0) as number;
  if (code > 0xffff) return `\\u{${hexadecimal(code, 4)}}`;
  return names[character] ?? (code < 0x100 ? `\\x${hexadecimal(code, 2)}` : `\\u${hexadecimal(code, 4)}`);
}

/**
 * Text of somebody else (a guest, a host, a file name) for a terminal or a log: one line, in which whatever would have an
 * effect is written as an escape (`\x1b`, `\n`, `\u202e`).
 */
export const harmless = (text: string): string => (harmful.test(text) ? text.replace(allHarmful, escape) : text);

/** The same for text of many lines: line feeds and tabs stay. */
export const harmlessLines = (text: string): string =>
  harmful.test(text) ? text.replace(allHarmful, (character) => (character === '\n' || character === '\t' ? character : escape(character))) : text;

/** JSON text, which stays the same value: within its strings `\uXXXX` stands for such characters. Its own line feeds stay. */
export const harmlessJson = (json: string): string =>
  harmful.test(json)
    ? json.replace(allHarmful, (character) => (character === '\n' ? character : Array.from({ length: character.length }, (_, at) => `\\u${hexadecimal(character.charCodeAt(at), 4)}`).join('')))
    : json;
