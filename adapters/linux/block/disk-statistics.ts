// SPDX-License-Identifier: Apache-2.0
import type { DiskCounters, DiskStatistics, DiskStatisticsEntry } from '../../../core/ports/index.ts';
import { failedBecause, readText } from '../kernel-files.ts';

/** guest-get-diskstats from /proc/diskstats. @throws failed error `Could not open '/proc/diskstats': STRERROR` */
export function linuxDiskStatistics(root: string): DiskStatistics {
  return {
    list: async () => {
      try {
        return parseDiskStatistics(readText(`${root}/proc/diskstats`));
      } catch (error) {
        throw failedBecause("Could not open '/proc/diskstats'", error);
      }
    },
  };
}

/**
 * Kernel's Documentation/admin-guide/iostats.rst: major, minor, name, then 11 numbers, 15 since Linux 4.18 (discards),
 * 17 since 5.5 (flushes), or 4 for partitions before 2.6.25. Lines in another form are left out; a number of columns
 * between those leaves the counters empty (qemu-ga 11.1).
 */
export function parseDiskStatistics(text: string): DiskStatisticsEntry[] {
  return text.split('\n').flatMap((line) => {
    const [major = '', minor = '', name = '', ...rest] = wordsOf(line);
    const numbers = leadingNumbers(rest);
    if (!isDecimal(major) || !isDecimal(minor) || numbers.length < 4) return [];
    return { name, major: Number(major), minor: Number(minor), counters: countersOf(numbers) };
  });
}

/** The kernel writes nothing but blanks between its columns. */
const wordsOf = (line: string): string[] => line.split(' ').filter((word) => word !== '');

function leadingNumbers(words: readonly string[]): bigint[] {
  const numbers: bigint[] = [];
  for (const word of words) {
    if (!isDecimal(word)) break;
    // The longest that are exact as numbers; a bigint is made of one in half the time.
    numbers.push(BigInt(word.length <= 15 ? Number(word) : word));
  }
  return numbers;
}

function isDecimal(word: string): boolean {
  for (let index = 0; index < word.length; index += 1) {
    const code = word.charCodeAt(index);
    if (code < 0x30 || code > 0x39) return false;
  }
  return word !== '';
}

type CounterName = keyof DiskCounters;

const partitionColumns = ['readIos', 'readSectors', 'writeIos', 'writeSectors'] as const satisfies CounterName[];
const columns = [
  'readIos', 'readMerges', 'readSectors', 'readTicks', 'writeIos', 'writeMerges', 'writeSectors', 'writeTicks',
  'iosInProgress', 'totalTicks', 'weightTicks',
  'discardIos', 'discardMerges', 'discardSectors', 'discardTicks',
  'flushIos', 'flushTicks',
] as const satisfies CounterName[];

function countersOf(numbers: readonly bigint[]): DiskCounters {
  if (numbers.length === 4) return zip(partitionColumns, numbers, 4);
  return zip(columns, numbers, [17, 15, 11].find((count) => numbers.length >= count) ?? 0);
}

function zip(names: readonly CounterName[], numbers: readonly bigint[], count: number): DiskCounters {
  const counters: { -readonly [Name in CounterName]?: bigint } = {};
  for (let index = 0; index < count; index += 1) {
    const [name, number] = [names[index], numbers[index]];
    if (name !== undefined && number !== undefined) counters[name] = number;
  }
  return counters;
}
