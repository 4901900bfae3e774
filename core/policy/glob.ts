// SPDX-License-Identifier: Apache-2.0
/** Whether a text is of a pattern as a whole. */
export type Matcher = (text: string) => boolean;

/** What a pattern consists of: a character, or one of these. */
const ONE = 1;
const MANY = 2;
const MANY_ACROSS = 3;
type Token = string | typeof ONE | typeof MANY | typeof MANY_ACROSS;

/**
 * `?` stands for one character, `*` for any number of them, a backslash takes the meaning away. Of paths neither stands for a slash,
 * and `**` for any number of characters, slashes among them. A line feed is a character like others. Made without regular
 * expressions: the time that one text takes is bounded by the lengths of both.
 */
export function glob(pattern: string, kind: 'text' | 'path'): Matcher {
  if (!/[*?\\]/.test(pattern)) return (text) => text === pattern;
  const tokens = tokensOf(pattern, kind);
  return (text) => matches(tokens, text, kind === 'path');
}

/** Whether one of several patterns fits. */
export function anyGlob(patterns: readonly string[], kind: 'text' | 'path'): Matcher {
  const exact = new Set(patterns.filter((pattern) => !/[*?\\]/.test(pattern)));
  const others = patterns.filter((pattern) => !exact.has(pattern)).map((pattern) => glob(pattern, kind));
  return others.length === 0 ? (text) => exact.has(text) : (text) => exact.has(text) || others.some((fits) => fits(text));
}

function tokensOf(pattern: string, kind: 'text' | 'path'): readonly Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < pattern.length; at += 1) {
    const character = pattern.charAt(at);
    if (character === '?') tokens.push(ONE);
    else if (character === '\\') {
      at += 1;
      tokens.push(pattern.charAt(at));
    } else if (character === '*') {
      const isDouble = pattern[at + 1] === '*';
      if (isDouble) at += 1;
      tokens.push(kind === 'text' || isDouble ? MANY_ACROSS : MANY);
    } else tokens.push(character);
  }
  return tokens;
}

/** Goes on with the last star where something does not fit: an earlier one could take nothing that this one cannot. */
function matches(tokens: readonly Token[], text: string, slashesCount: boolean): boolean {
  let [at, token] = [0, 0];
  let star = { token: -1, at: 0 };
  let across = { token: -1, at: 0 };
  while (token < tokens.length || at < text.length) {
    const next = tokens[token];
    if (next === MANY_ACROSS) {
      token += 1;
      across = { token, at };
      star = { token: -1, at: 0 };
    } else if (next === MANY) {
      token += 1;
      star = { token, at };
    } else if (at < text.length && (next === text[at] || (next === ONE && !(slashesCount && text[at] === '/')))) {
      token += 1;
      at += 1;
    } else if (star.token >= 0 && star.at < text.length && text[star.at] !== '/') {
      star = { token: star.token, at: star.at + 1 };
      ({ token, at } = star);
    } else if (across.token >= 0 && across.at < text.length) {
      across = { token: across.token, at: across.at + 1 };
      ({ token, at } = across);
      star = { token: -1, at: 0 };
    } else {
      return false;
    }
  }
  return true;
}
