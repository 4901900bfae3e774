// SPDX-License-Identifier: Apache-2.0
/** What os-release(5) says of the distribution, by key: `ID`, `PRETTY_NAME`. */
export type OsRelease = ReadonlyMap<string, string>;

/**
 * Parses os-release(5): assignments that a shell could read. Values may be bare, in double or in single quotes, or
 * put together of such pieces; the last of equal keys counts. Lines that are no assignment are passed over.
 */
export function parseOsRelease(text: string): OsRelease {
  const values = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const match = /^\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/.exec(line);
    if (match !== null) values.set(match[1] ?? '', shellWord(match[2] ?? ''));
  }
  return values;
}

/** Pieces of a shell word: 'single', "double", an escaped character, bare text; whatever else ends the word. */
const piece = /'([^']*)(?:'|$)|"((?:[^"\\]|\\.|\\$)*)(?:"|$)|\\(.)|([^\s;'"\\]+)/y;

function shellWord(text: string): string {
  let word = '';
  piece.lastIndex = 0;
  for (let match = piece.exec(text); match !== null && match[0] !== ''; match = piece.exec(text)) {
    const [, single, double, escaped, bare] = match;
    // Within double quotes a backslash means something before these only.
    word += single ?? double?.replace(/\\([$"\\`'])/g, '$1') ?? escaped ?? bare ?? '';
  }
  return word;
}
