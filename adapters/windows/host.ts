import { AgentError } from '../../core/errors/agent-error.ts';
import type { Host } from '../../core/ports/host.ts';
import { DYNAMIC_TIME_ZONE_INFORMATION, kernel32, SYSTEM_INFO } from './bindings/kernel32.ts';
import { ntdll, OSVERSIONINFOEX } from './bindings/ntdll.ts';
import { deviceDrivers } from './devices.ts';
import type { Out } from './koffi.ts';
import { readFields, structure, textOf } from './layout.ts';
import { registryText } from './registry.ts';
import { lastWindowsError } from './system-error.ts';
import { releaseOf } from './windows-releases.ts';

const VER_NT_WORKSTATION = 1;
const TIME_ZONE_ID_DAYLIGHT = 2;
const TIME_ZONE_ID_INVALID = 0xffff_ffff;

const currentVersion = 'SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion';

/** PROCESSOR_ARCHITECTURE_* in the words of uname(2); qemu-ga 10.2 says `unknown` of ARM64. */
const machines: Readonly<Record<number, string>> = { 0: 'x86', 5: 'arm', 6: 'ia64', 9: 'x86_64', 12: 'aarch64' };

/* oxlint-disable require-await -- what is asked here is in memory; a failure is a rejection */
export const windowsHost: Host = {
  hostName: {
    async get() {
      const name = Buffer.alloc(512);
      const length: Out<number> = [name.length / 2];
      if (kernel32.GetComputerNameW(name, length) === 0) throw lastWindowsError('GetComputerName');
      return textOf(name);
    },
  },
  timeZone: {
    async get() {
      const zone = Buffer.alloc(DYNAMIC_TIME_ZONE_INFORMATION.size);
      const which = kernel32.GetDynamicTimeZoneInformation(zone);
      if (which === TIME_ZONE_ID_INVALID) throw lastWindowsError('GetDynamicTimeZoneInformation');
      const { Bias, StandardBias, StandardName, DaylightBias, DaylightName } = readFields(DYNAMIC_TIME_ZONE_INFORMATION, zone);
      const daylight = which === TIME_ZONE_ID_DAYLIGHT;
      // Biases are minutes to add to the local time to get UTC.
      const offset = (Bias + (daylight ? DaylightBias : StandardBias)) * -60 || 0;
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
        machine: machines[readFields(SYSTEM_INFO, system).wProcessorArchitecture] ?? 'unknown',
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
};
