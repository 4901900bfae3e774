// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { releaseOf } from '../../../adapters/windows/windows-releases.ts';

describe('releases of Windows by their build', () => {
  for (const [variant, major, minor, build, version, versionId] of [
    ['client', 10, 0, 28000, 'Microsoft Windows 11', '11'],
    ['client', 10, 0, 26200, 'Microsoft Windows 11', '11'], // 25H2
    ['client', 10, 0, 26100, 'Microsoft Windows 11', '11'], // 24H2
    ['client', 10, 0, 22631, 'Microsoft Windows 11', '11'], // 23H2
    ['client', 10, 0, 22621, 'Microsoft Windows 11', '11'], // 22H2
    ['client', 10, 0, 22000, 'Microsoft Windows 11', '11'], // 21H2
    ['client', 10, 0, 21999, 'Microsoft Windows 10', '10'],
    ['client', 10, 0, 19045, 'Microsoft Windows 10', '10'], // 22H2
    ['client', 10, 0, 14393, 'Microsoft Windows 10', '10'], // 1607
    ['client', 10, 0, 10240, 'Microsoft Windows 10', '10'], // 1507
    ['client', 6, 3, 9600, 'Microsoft Windows 8.1', '8.1'],
    ['client', 6, 2, 9200, 'Microsoft Windows 8', '8'],
    ['client', 6, 1, 7601, 'Microsoft Windows 7', '7'],
    ['client', 6, 0, 6002, 'Microsoft Windows Vista', 'vista'],
    ['client', 5, 1, 2600, 'Microsoft Windows XP', 'xp'],
    ['client', 5, 0, 2195, 'Microsoft Windows 2000', '2000'],
    ['server', 10, 0, 29000, 'Microsoft Windows Server 2025', '2025'],
    ['server', 10, 0, 26100, 'Microsoft Windows Server 2025', '2025'],
    ['server', 10, 0, 25398, 'Microsoft Windows Server 2022', '2022'], // 23H2, annual channel
    ['server', 10, 0, 20348, 'Microsoft Windows Server 2022', '2022'],
    ['server', 10, 0, 20343, 'Microsoft Windows Server 2019', '2019'],
    ['server', 10, 0, 17763, 'Microsoft Windows Server 2019', '2019'],
    ['server', 10, 0, 14393, 'Microsoft Windows Server 2016', '2016'],
    ['server', 6, 3, 9600, 'Microsoft Windows Server 2012 R2', '2012r2'],
    ['server', 6, 2, 9200, 'Microsoft Windows Server 2012', '2012'],
    ['server', 6, 1, 7601, 'Microsoft Windows Server 2008 R2', '2008r2'],
    ['server', 6, 0, 6002, 'Microsoft Windows Server 2008', '2008'],
    ['server', 5, 2, 3790, 'Microsoft Windows Server 2003', '2003'],
    ['client', 10, 0, 9000, 'N/A', 'N/A'],
    ['server', 10, 0, 10240, 'N/A', 'N/A'],
    ['client', 11, 0, 30000, 'N/A', 'N/A'],
  ] as const) {
    it(`build ${build} of ${major}.${minor} on a ${variant} is ${version}`, () => {
      expect(releaseOf({ major, minor, build, variant })).toEqual({ version, versionId });
    });
  }
});
