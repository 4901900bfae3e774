// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { driverFile, driverVersion } from '../../../adapters/windows/driver-image.ts';

describe('the file of a driver', () => {
  it.each([
    ['\\SystemRoot\\System32\\drivers\\netkvm.sys', 'C:\\Windows\\System32\\drivers\\netkvm.sys'],
    ['system32\\DRIVERS\\viostor.sys', 'C:\\Windows\\system32\\DRIVERS\\viostor.sys'],
    ['%SystemRoot%\\system32\\x.sys', 'C:\\Windows\\system32\\x.sys'],
    ['\\SystemRoot\\System32\\DriverStore\\FileRepository\\balloon.inf_amd64_1\\balloon.sys', 'C:\\Windows\\System32\\DriverStore\\FileRepository\\balloon.inf_amd64_1\\balloon.sys'],
    ['\\??\\D:\\Program Files\\X\\x.sys', 'D:\\Program Files\\X\\x.sys'],
    ['"C:\\x y.sys"', 'C:\\x y.sys'],
    ['', 'C:\\Windows\\System32\\drivers\\name.sys'],
    ['\\Device\\HarddiskVolume1\\x.sys', undefined],
    ['%OTHER%\\x.sys', undefined],
  ])('%s', (image, file) => {
    expect(driverFile(image, 'name', 'C:\\Windows')).toBe(file);
  });

  it('has the version of its INF behind the date', () => {
    expect(['07/11/2023,100.94.104.24800', '07/11/2023, 1.0 ', '07/11/2023', '07/11/2023,', '', '1,2,3.4'].map(driverVersion)).toEqual(['100.94.104.24800', '1.0', '', '', '', '3.4']);
  });
});
