// SPDX-License-Identifier: Apache-2.0
import { harmless } from '../../core/errors/harmless-text.ts';

export interface Column {
  readonly title: string;
  /** Numbers stand to the right. */
  readonly right?: true;
}

/** Characters. What is longer stands out of its column: it must not widen all the others of it, of which a guest may send many. */
const widestColumn = 128;

/** A table for people: aligned columns under a head, no lines. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => row.map(harmless))];
  const widths = columns.map((_, column) => cells.reduce((width, { [column]: cell = '' }) => (cell.length > widestColumn ? width : Math.max(width, cell.length)), 0));
  const line = (row: readonly string[]): string =>
    columns
      .map(({ right }, column) => (right === true ? (row[column] ?? '').padStart(widths[column] ?? 0) : (row[column] ?? '').padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return `${cells.map(line).join('\n')}\n`;
}

/** Names and values, one pair a line; pairs without a value are left out. */
export function pairs(given: readonly (readonly [name: string, value: string | undefined])[]): string {
  const there = given.flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, harmless(value)] as const]));
  const width = Math.max(0, ...there.map(([name]) => name.length));
  return there.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

export function bytesText(bytes: bigint | number | undefined): string {
  if (bytes === undefined) return '';
  let amount = Number(bytes);
  let unit = 0;
  for (; amount >= 1024 && unit < units.length - 1; unit += 1) amount /= 1024;
  return `${unit === 0 ? amount : amount.toFixed(1)} ${units[unit] ?? ''}`;
}

/** ISO, to the second. @param ms since 1970 */
export const timeText = (ms: number): string => (Number.isFinite(ms) && Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z') : `${ms} ms`);

/** `1 file system`, `3 file systems`. */
export const fileSystemsText = (count: bigint): string => `${count} file system${count === 1n ? '' : 's'}`;
