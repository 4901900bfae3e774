// SPDX-License-Identifier: Apache-2.0
import { parsePosixTimeZone, posixTimeAt, type LocalTime } from './posix-time-zone.ts';
import { textFromBytes } from '../text.ts';

interface Counts {
  readonly isUt: number;
  readonly isStandard: number;
  readonly leaps: number;
  readonly times: number;
  readonly types: number;
  readonly characters: number;
}

const headerLength = 44;

/**
 * What a compiled time zone (TZif, RFC 8536, as in /usr/share/zoneinfo) says for a moment, in seconds since 1970-01-01
 * UTC. `undefined` for a file that is damaged or something else.
 */
export function tzifTimeAt(file: Uint8Array, at: number): LocalTime | undefined {
  try {
    return timeAt(file, at);
  } catch (error) {
    // Counts that point behind the end of the file.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function timeAt(file: Uint8Array, at: number): LocalTime | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (!isHeader(view, 0)) return undefined;
  const version = view.getUint8(4);
  if (version === 0) return fromBlock(view, headerLength, countsOf(view, 0), 4, at, '');
  // Later versions repeat everything with 64-bit times behind the old block.
  const second = headerLength + blockLength(countsOf(view, 0), 4);
  if (!isHeader(view, second)) return undefined;
  const counts = countsOf(view, second);
  const start = second + headerLength;
  const footer = textFromBytes(file.subarray(start + blockLength(counts, 8))).split('\n')[1] ?? '';
  return fromBlock(view, start, counts, 8, at, footer);
}

const isHeader = (view: DataView, offset: number): boolean => view.getUint32(offset) === 0x545a_6966; // 'TZif'

function countsOf(view: DataView, offset: number): Counts {
  const count = (index: number): number => view.getUint32(offset + 20 + 4 * index);
  return { isUt: count(0), isStandard: count(1), leaps: count(2), times: count(3), types: count(4), characters: count(5) };
}

const blockLength = (counts: Counts, width: number): number =>
  counts.times * (width + 1) + counts.types * 6 + counts.characters + counts.leaps * (width + 4) + counts.isStandard + counts.isUt;

function fromBlock(view: DataView, start: number, counts: Counts, width: 4 | 8, at: number, footer: string): LocalTime | undefined {
  const time = (index: number): number =>
    width === 4 ? view.getInt32(start + 4 * index) : Number(view.getBigInt64(start + 8 * index));
  const passed = countPassed(counts.times, time, at);
  const rule = footer === '' ? undefined : parsePosixTimeZone(footer);
  if (rule !== undefined && passed === counts.times) return posixTimeAt(rule, at);
  const type = passed === 0 ? 0 : view.getUint8(start + counts.times * width + passed - 1);
  return type < counts.types ? typeAt(view, start + counts.times * (width + 1), counts, type) : undefined;
}

/** How many changes are not after `at`: they are in order. */
function countPassed(count: number, time: (index: number) => number, at: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (time(middle) <= at) low = middle + 1;
    else high = middle;
  }
  return low;
}

function typeAt(view: DataView, start: number, counts: Counts, type: number): LocalTime {
  const names = start + counts.types * 6;
  const first = names + view.getUint8(start + 6 * type + 5);
  let zone = '';
  for (let offset = first; offset < names + counts.characters; offset++) {
    const character = view.getUint8(offset);
    if (character === 0) break;
    zone += String.fromCharCode(character);
  }
  return { offset: view.getInt32(start + 6 * type), zone };
}
