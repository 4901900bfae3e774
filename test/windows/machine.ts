// SPDX-License-Identifier: Apache-2.0
import { built, setVariable } from './doubles.ts';

const double = built('machine.dll');

const functions: Readonly<Record<string, readonly string[]>> = {
  'ntdll.dll': ['RtlGetVersion'],
  'kernel32.dll': [
    'GetNativeSystemInfo', 'GetComputerNameW', 'GetDynamicTimeZoneInformation', 'GetLogicalProcessorInformationEx', 'FindFirstVolumeW',
    'FindNextVolumeW', 'FindVolumeClose', 'GetVolumePathNamesForVolumeNameW', 'GetDriveTypeW', 'GetVolumeInformationW', 'GetDiskFreeSpaceExW',
    'CreateFileW', 'CloseHandle', 'DeviceIoControl',
  ],
};

/** The machine that native/machine.cpp makes up, in place of this one. */
export const machineDlls: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(functions).flatMap(([dll, names]) => names.map((name) => [`${dll}!${name}`, double]))),
  'iphlpapi.dll': double,
  'setupapi.dll': double,
  'cfgmgr32.dll': double,
};

/** What is to be otherwise with it, until the next call. */
export const machineScene = (scene: Readonly<Record<string, string>> = {}): void =>
  setVariable('CONCIERGE_MACHINE', Object.entries(scene).map(([name, value]) => `${name}=${value}`).join(','));
