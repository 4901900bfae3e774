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
  const start = pattern.search(/[*?\\]/);
  if (start < 0) {
    const { length } = pattern;
    const last = pattern.charCodeAt(length - 1);
    // Paths and names mostly differ in length or at their ends, which is seen sooner than by comparing them.
    return (text) => text.length === length && (length === 0 || text.charCodeAt(length - 1) === last) && text === pattern;
  }
  const prefix = pattern.slice(0, start);
  const tokens = tokensOf(pattern.slice(start), kind);
  if (tokens.length === 1 && tokens[0] === MANY_ACROSS) return (text) => text.startsWith(prefix);
  const across = tokens.indexOf(MANY_ACROSS);
  if (across >= 0 && tokens.lastIndexOf(MANY) > across) return (text) => text.startsWith(prefix) && matchesInOnePass(tokens, text, start);
  // Most texts differ before the first star.
  return (text) => text.startsWith(prefix) && matches(tokens, text, start, kind === 'path');
}

/** Whether one of several patterns fits. */
export function anyGlob(patterns: readonly string[], kind: 'text' | 'path'): Matcher {
  const matchers = patterns.map((pattern) => glob(pattern, kind));
  const [only] = matchers;
  if (only !== undefined && matchers.length === 1) return only;
  if (matchers.length > FEW && !patterns.some((pattern) => /[*?\\]/.test(pattern))) {
    const exact = new Set(patterns);
    return (text) => exact.has(text);
  }
  return (text) => {
    for (const fits of matchers) if (fits(text)) return true;
    return false;
  };
}

/** So many texts are compared sooner than one is looked up. */
const FEW = 8;

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
function matches(tokens: readonly Token[], text: string, start: number, slashesCount: boolean): boolean {
  let [at, token] = [start, 0];
  let [starToken, starAt] = [-1, 0];
  let [acrossToken, acrossAt] = [-1, 0];
  while (token < tokens.length || at < text.length) {
    const next = tokens[token];
    if (next === MANY_ACROSS) {
      token += 1;
      acrossToken = token;
      acrossAt = at;
      starToken = -1;
    } else if (next === MANY) {
      token += 1;
      starToken = token;
      starAt = at;
    } else if (at < text.length && (next === text[at] || (next === ONE && !(slashesCount && text[at] === '/')))) {
      token += 1;
      at += 1;
    } else if (starToken >= 0 && starAt < text.length && text[starAt] !== '/') {
      starAt += 1;
      token = starToken;
      at = starAt;
    } else if (acrossToken >= 0 && acrossAt < text.length) {
      acrossAt += 1;
      token = acrossToken;
      at = acrossAt;
      starToken = -1;
    } else {
      return false;
    }
  }
  return true;
}

/**
 * Of a path, where `*` stands behind `**`: to go back to either would take the square of the text's length. Keeps for every place in the
 * pattern whether the text so far may lead there, and goes through the text once.
 */
function matchesInOnePass(tokens: readonly Token[], text: string, start: number): boolean {
  const isStar = tokens.map((token) => token === MANY || token === MANY_ACROSS);
  const places = new Uint8Array(tokens.length + 1);
  places[0] = 1;
  for (let place = 0; isStar[place] === true; place += 1) places[place + 1] = 1;
  for (let at = start; at < text.length; at += 1) {
    const character = text[at];
    const isSlash = character === '/';
    let left = 0;
    let wasLeft = 0;
    for (let place = 0; place <= tokens.length; place += 1) {
      const token = tokens[place];
      const before = tokens[place - 1];
      const was = places[place] as number;
      if (was + left + wasLeft === 0) continue;
      const comes = wasLeft === 1 && (before === character || (before === ONE && !isSlash));
      const stays = was === 1 && (token === MANY_ACROSS || (token === MANY && !isSlash));
      // A star may stand for nothing.
      const passes = left === 1 && isStar[place - 1] === true;
      left = comes || stays || passes ? 1 : 0;
      places[place] = left;
      wasLeft = was;
    }
  }
  return places[tokens.length] === 1;
}
