// SPDX-License-Identifier: Apache-2.0
import { jsonNumber } from '../../core/protocol/json-text.ts';
import { numberValue } from '../../core/protocol/number-scan.ts';

/** Numbers as qemu-ga prints them, which reads an `id` as C does. */
const printedAnew = (line: string): string =>
  line.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) => (token.startsWith('"') ? token : jsonNumber(numberValue(token, /^-?\d+$/.test(token)))));

/** The same with the members of all objects in one order, numbers as text. */
function inOneOrder(line: string): string {
  const asText = line.replace(/^\xff/, '').replace(/"(?:[^"\\]|\\.)*"|-?(?:\d[\d.eE+-]*|inf)/g, (token) => (token.startsWith('"') ? token : `"#${token}"`));
  return JSON.stringify(JSON.parse(asText), (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)) : value);
}

/** Lines whose difference is a row of docs/differences.md: the row, and what both have to look like. */
const alike: readonly (readonly [row: string, pattern: RegExp])[] = [
  ['undeclared-member', /"desc": "Parameter '(?:[^"\\]|\\.)*' is unexpected"/],
  ['envelope-order', /"desc": "QMP input member '(?:[^"\\]|\\.)*' (?:is unexpected|must be an? \w+)"/],
];

const isParseError = (line: string): boolean => /JSON (?:parse error|token|nesting)/.test(line);

/** Alike but for what is listed of every `id`. */
const sameBut = (ours: string, theirs: string): boolean => printedAnew(ours) === theirs || inOneOrder(printedAnew(ours)) === inOneOrder(theirs);

/** Anchors of all rows that are named here. */
export const explainingRows = ['numeric-id', 'id-member-order', 'unknown-pid', 'newer-release', ...alike.map(([row]) => row)] as const;

/** The row that explains why one line of ours is not theirs, `undefined`: none does. */
function rowOf(ours: string, theirs: string): string | undefined {
  if (printedAnew(ours) === theirs) return 'numeric-id';
  if (/"id": .*\{/.test(ours) && inOneOrder(printedAnew(ours)) === inOneOrder(theirs)) return 'id-member-order';
  if (/PID -?\d+ does not exist/.test(ours) && sameBut(ours.replace(/PID -?\d+ does not exist/, 'PID ld does not exist'), theirs)) return 'unknown-pid';
  for (const [row, pattern] of alike) {
    if (pattern.test(ours) && pattern.test(theirs) && sameBut(ours.replace(pattern, '"desc": ""'), theirs.replace(pattern, '"desc": ""'))) return row;
  }
  return undefined;
}

/**
 * Rows of docs/differences.md that explain where the answers to one case differ; `undefined`: one does not. An older release finds
 * its parse errors elsewhere and words them otherwise, so that only cases without them are compared line by line with it.
 */
export function rowsOf(ours: readonly string[], theirs: readonly string[], isNewest: boolean): readonly string[] | undefined {
  if (!isNewest) {
    const [own, others] = [withoutMark(ours), withoutMark(theirs)];
    return [...own, ...others].some(isParseError) ? ['newer-release'] : lineByLine(own, others, isNewest);
  }
  return lineByLine(ours, theirs, isNewest);
}

/** The error that the byte in front of the marked request brings stands behind everything else. */
const withoutMark = (lines: readonly string[]): readonly string[] => (lines.at(-1)?.endsWith(String.raw`JSON parse error, stray '\uFFFD'"}}`) === true ? lines.slice(0, -1) : lines);

function lineByLine(ours: readonly string[], theirs: readonly string[], isNewest: boolean): readonly string[] | undefined {
  if (ours.length !== theirs.length) return undefined;
  const rows = new Set<string>();
  for (const [i, line] of ours.entries()) {
    const other = theirs[i] as string;
    if (line === other) continue;
    const row = rowOf(line, other) ?? (isNewest ? undefined : olderRow(line, other));
    if (row === undefined) return undefined;
    rows.add(row);
  }
  return [...rows];
}

/** Words of 7.2 that 11.1 has no more. */
const olderWords: readonly (readonly [now: RegExp, then: string])[] = [
  [/PID -?\d+ does not exist/, "Invalid parameter 'pid'"],
  [/ has been disabled: the command is not allowed/, ' has been disabled'],
  [/ has been disabled: the command is not allowed/, ' has been disabled: the agent is in frozen state'],
];

const olderRow = (ours: string, theirs: string): string | undefined =>
  olderWords.some(([now, then]) => now.test(ours) && sameBut(ours.replace(now, then), theirs)) ? 'newer-release' : undefined;

/** Whether one answer is theirs, or a row of docs/differences.md explains why not. */
export const agrees = (ours: string, theirs: string, isNewest: boolean): boolean => lineByLine([ours], [theirs], isNewest) !== undefined;
