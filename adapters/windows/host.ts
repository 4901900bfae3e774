// SPDX-License-Identifier: Apache-2.0
import { AgentError } from '../../core/errors/agent-error.ts';
import type { Host } from '../../core/ports/host.ts';
import { DYNAMIC_TIME_ZONE_INFORMATION, kernel32, SYSTEM_INFO } from './bindings/kernel32.ts';
import { ntdll, OSVERSIONINFOEX } from './bindings/ntdll.ts';
import { computerName } from './computer-name.ts';
import { deviceDrivers } from './devices.ts';
import { driverPackages } from './driver-packages.ts';
import { driverServices } from './driver-services.ts';
import { readFields, structure } from './layout.ts';
import { registryText } from './registry.ts';
import { lastWindowsError } from './system-error.ts';
import { releaseOf } from './windows-releases.ts';

const VER_NT_WORKSTATION = 1;
const TIME_ZONE_ID_STANDARD = 1;
const TIME_ZONE_ID_DAYLIGHT = 2;
const TIME_ZONE_ID_INVALID = 0xffff_ffff;

const currentVersion = 'SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion';

/** PROCESSOR_ARCHITECTURE_* in the words of uname(2); qemu-ga 10.2 says `unknown` of ARM64. */
export const machines: Readonly<Record<number, readonly [name: string, machine: string]>> = {
  0: ['PROCESSOR_ARCHITECTURE_INTEL', 'x86'], 5: ['PROCESSOR_ARCHITECTURE_ARM', 'arm'], 6: ['PROCESSOR_ARCHITECTURE_IA64', 'ia64'],
  9: ['PROCESSOR_ARCHITECTURE_AMD64', 'x86_64'], 12: ['PROCESSOR_ARCHITECTURE_ARM64', 'aarch64'],
};

/* oxlint-disable require-await -- what is asked here is in memory; a failure is a rejection */
export const windowsHost: Host = {
  hostName: {
    async get() {
      return computerName();
    },
  },
  timeZone: {
    async get() {
      const zone = Buffer.alloc(DYNAMIC_TIME_ZONE_INFORMATION.size);
      const which = kernel32.GetDynamicTimeZoneInformation(zone);
      if (which === TIME_ZONE_ID_INVALID) throw lastWindowsError('GetDynamicTimeZoneInformation');
      const { Bias, StandardBias, StandardName, DaylightBias, DaylightName } = readFields(DYNAMIC_TIME_ZONE_INFORMATION, zone);
      const daylight = which === TIME_ZONE_ID_DAYLIGHT;
      // Biases are minutes to add to the local time to get UTC. Without dates for a change the second one does not count.
      const added = { [TIME_ZONE_ID_STANDARD]: StandardBias, [TIME_ZONE_ID_DAYLIGHT]: DaylightBias }[which] ?? 0;
      const offset = (Bias + added) * -60 || 0;
      const name = daylight ? DaylightName : StandardName;
      return { offset, ...(name === '' ? {} : { zone: name }) };
    },
  },
  osInformation: {
    async get() {
      const version = structure(OSVERSIONINFOEX, { dwOSVersionInfoSize: OSVERSIONINFOEX.size });
      if (ntdll.RtlGetVersion(version) !== 0) throw AgentError.failed('failed to get the version of Windows');
      const { dwMajorVersion: major, dwMinorVersion: minor, dwBuildNumber: build, wProductType } = readFields(OSVERSIONINFOEX, version);
      const system = Buffer.alloc(SYSTEM_INFO.size);
      kernel32.GetNativeSystemInfo(system);
      const variant = wProductType === VER_NT_WORKSTATION ? 'client' : 'server';
      const release = releaseOf({ major, minor, build, variant });
      const product = registryText(currentVersion, 'ProductName');
      return {
        kernelRelease: `${build}`,
        kernelVersion: `${major}.${minor}`,
        machine: machines[readFields(SYSTEM_INFO, system).wProcessorArchitecture]?.[1] ?? 'unknown',
        id: 'mswindows',
        name: 'Microsoft Windows',
        ...(product === undefined ? {} : { prettyName: product }),
        version: release.version,
        versionId: release.versionId,
        variant,
        variantId: variant,
      };
    },
  },
  devices: {
    async list() {
      return deviceDrivers();
    },
  },
  driverPackages: { list: driverPackages },
  driverServices: { list: driverServices },
};
