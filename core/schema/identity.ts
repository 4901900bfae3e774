// SPDX-License-Identifier: Apache-2.0
import { command } from './command.ts';
import { double, enumOf, int, listOf, optional, required, str, struct, uint16 } from './types.ts';

export const guestHostName = struct('GuestHostName', {
  'host-name': required(str, 'The host name, not necessarily with its domain.'),
});

export const guestGetHostName = command({
  name: 'guest-get-host-name',
  since: '2.10',
  group: 'observe',
  summary: "Tells the guest's host name.",
  result: guestHostName,
  needs: 'host.hostName',
});

export const guestUser = struct(
  'GuestUser',
  {
    user: required(str, 'Name of the user.'),
    'login-time': required(double, 'When the first of the current sessions began, in seconds since 1970-01-01 UTC.'),
    domain: optional(str, 'Logon domain (Windows).'),
  },
  ['login-time', 'domain', 'user'],
);

export const guestGetUsers = command({
  name: 'guest-get-users',
  since: '2.10',
  group: 'observe',
  summary: 'Lists users who are logged in.',
  result: listOf(guestUser),
  resultDoc: 'Each user once.',
  needs: 'accounts.sessions',
});

export const guestTimezone = struct('GuestTimezone', {
  zone: optional(str, 'Abbreviation of the time zone, as in force now.'),
  offset: required(int, 'Seconds east of UTC now, daylight saving included.'),
});

export const guestGetTimezone = command({
  name: 'guest-get-timezone',
  since: '2.10',
  group: 'observe',
  summary: "Tells the guest's time zone.",
  result: guestTimezone,
  needs: 'host.timeZone',
});

export const guestOsInfo = struct(
  'GuestOSInfo',
  {
    'kernel-release': optional(str, 'Release of the kernel (POSIX), build number (Windows).'),
    'kernel-version': optional(str, 'Version of the kernel.'),
    machine: optional(str, 'Architecture.'),
    id: optional(str, '`ID` of os-release(5); `mswindows` on Windows.'),
    name: optional(str, '`NAME`; `Microsoft Windows` on Windows.'),
    'pretty-name': optional(str, '`PRETTY_NAME`; the product name on Windows.'),
    version: optional(str, '`VERSION`.'),
    'version-id': optional(str, '`VERSION_ID`.'),
    variant: optional(str, '`VARIANT`; `client` or `server` on Windows.'),
    'variant-id': optional(str, '`VARIANT_ID`; `client` or `server` on Windows.'),
  },
  ['name', 'kernel-release', 'version', 'variant', 'pretty-name', 'version-id', 'variant-id', 'kernel-version', 'machine', 'id'],
);

export const guestGetOsinfo = command({
  name: 'guest-get-osinfo',
  since: '2.10',
  group: 'observe',
  summary: 'Tells which operating system and kernel the guest runs.',
  result: guestOsInfo,
  resultDoc: 'What is not known is absent.',
  needs: 'host.osInformation',
});

export const guestDeviceId = struct(
  'GuestDeviceId',
  {
    type: required(enumOf('GuestDeviceType', ['pci']), 'Which members follow.'),
    'vendor-id': required(uint16, 'PCI vendor.'),
    'device-id': required(uint16, 'PCI device.'),
  },
  ['device-id', 'vendor-id', 'type'],
);

export const guestDeviceInfo = struct(
  'GuestDeviceInfo',
  {
    'driver-name': required(str, 'What the driver calls the device.'),
    'driver-date': optional(int, 'When the driver was made, in nanoseconds since 1970-01-01 UTC.'),
    'driver-version': optional(str, 'Version of the driver.'),
    id: optional(guestDeviceId, 'Identity of the device.'),
  },
  ['driver-date', 'driver-name', 'driver-version', 'id'],
);

export const guestGetDevices = command({
  name: 'guest-get-devices',
  since: '5.2',
  group: 'observe',
  summary: 'Lists drivers of paravirtual devices.',
  result: listOf(guestDeviceInfo),
  needs: 'host.devices',
});

export const guestDriverPackage = struct('GuestDriverPackageInfo', {
  name: required(str, 'What the system calls the package: `oem3.inf`.'),
  'original-name': optional(str, 'What its maker called it: `netkvm.inf`.'),
  version: required(str, 'Version of the driver.'),
  vendor: optional(str, 'Who provides it.'),
});

export const guestGetDriverPackages = command({
  name: 'guest-get-driver-packages',
  since: '11.2',
  group: 'observe',
  summary: "Lists packages of drivers that were added to the system's store.",
  result: listOf(guestDriverPackage),
  resultDoc: 'Of every vendor, whether or not a device uses them.',
  needs: 'host.driverPackages',
});

export const guestDriverService = struct('GuestDriverServiceInfo', {
  name: required(str, 'Name of the service.'),
  'driver-path': optional(str, 'Where the file of the driver lies.'),
  version: optional(str, 'Version of the file.'),
  vendor: optional(str, 'Who made the file.'),
  status: required(
    enumOf('GuestDriverServiceStatus', ['stopped', 'start-pending', 'stop-pending', 'running', 'continue-pending', 'pause-pending', 'paused', 'unknown']), 'State of the service.',
  ),
});

export const guestGetDriverServices = command({
  name: 'guest-get-driver-services',
  since: '11.2',
  group: 'observe',
  summary: 'Lists drivers that the system knows as services.',
  result: listOf(guestDriverService),
  resultDoc: 'Those that do not run, too.',
  needs: 'host.driverServices',
});
