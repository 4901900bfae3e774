// SPDX-License-Identifier: Apache-2.0
import { array as arrayOf, assert, constantFrom, integer, oneof, property, string as shortText, uint8Array, type Arbitrary } from 'fast-check';
import { describe, expect, it } from 'vitest';

import { parseDiskStatistics } from '../../../adapters/linux/block/disk-statistics.ts';
import { deviceMounts, mountsOfTable, parseMountInfo } from '../../../adapters/linux/block/mounts.ts';
import { parseOsRelease } from '../../../adapters/linux/facts/os-release.ts';
import { parsePosixTimeZone, posixTimeAt } from '../../../adapters/linux/facts/posix-time-zone.ts';
import { parseProcessorStatistics } from '../../../adapters/linux/facts/processor-statistics.ts';
import { tzifTimeAt } from '../../../adapters/linux/facts/tzif.ts';
import { parseUtmp, utmpLayout } from '../../../adapters/linux/accounts/utmp.ts';

const bytes = uint8Array({ maxLength: 2000 });
/** Text that is nearly right: pieces of the forms in any order. */
const pieces = (...words: string[]): Arbitrary<string> =>
  arrayOf(oneof(constantFrom(...words, ' ', '\n', '\t'), shortText({ maxLength: 3 })), { maxLength: 60 }).map((parts) => parts.join(''));
const wellFormed = (text: string): boolean => text.isWellFormed();

describe('whatever the system hands out', () => {
  it('a list of mounts is valid text with numbers', () => {
    const lines = pieces('36 35 8:1 / ', '/mnt', ' rw', ' - ', 'ext4', '\\040', '\\377', '\\', '0:31', 'btrfs', 'shared:1').map((text) => Buffer.from(text, 'latin1'));

    assert(property(oneof(bytes, lines), (file) => {
      const entries = [...deviceMounts(parseMountInfo(file), () => ({ major: 1, minor: 1 })), ...mountsOfTable(file, () => undefined, () => false)];

      expect(entries.every((entry) => wellFormed(entry.mountPoint) && wellFormed(entry.source) && Number.isInteger(entry.major))).toBe(true);
    }));
  });

  it('statistics are numbers', () => {
    assert(property(pieces('8 0 sda', 'cpu', 'cpu0', ' 1 2 3 4', ' 18446744073709551616', '-1'), (text) => {
      const counters = [...parseDiskStatistics(text).map((entry) => entry.counters), ...parseProcessorStatistics(text)];

      expect(counters.flatMap((each) => Object.values(each)).every((value) => typeof value === 'bigint' || typeof value === 'number')).toBe(true);
    }));
  });

  it('os-release has values without line feeds', () => {
    assert(property(pieces('ID=', 'NAME="', '"', "'", '\\', '\\"', '$', '#', ';', 'export '), (text) => {
      expect([...parseOsRelease(text).values()].every((value) => !value.includes('\n'))).toBe(true);
    }));
  });

  it('a time zone has an offset that is a whole number, or is none', () => {
    const rules = pieces('CET', '-1', 'CEST', ',M3.5.0', ',M10.5.0/3', ',J60', '<+03>', ':30', '/-1');
    const files = bytes.map((tail) => Buffer.concat([Buffer.from('TZif2'), tail]));

    assert(property(rules, files, integer(), (text, file, at) => {
      const rule = parsePosixTimeZone(text.replaceAll(/\s/g, ''));
      const offsets = [rule === undefined ? 0 : posixTimeAt(rule, at).offset, tzifTimeAt(file, at)?.offset ?? 0];

      expect(offsets.every(Number.isInteger)).toBe(true);
    }));
  });

  it('utmp has names that are valid text', () => {
    assert(property(bytes, constantFrom('x64', 'arm64'), (file, architecture) => {
      expect(parseUtmp(file, utmpLayout(architecture)).every((session) => wellFormed(session.user) && session.user !== '')).toBe(true);
    }));
  });
});
