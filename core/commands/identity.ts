// SPDX-License-Identifier: Apache-2.0
import { withContext } from '../errors/agent-error.ts';
import type { UserSession } from '../ports/index.ts';
import {
  guestGetDevices, guestGetDriverPackages, guestGetDriverServices, guestGetHostName, guestGetOsinfo, guestGetTimezone, guestGetUsers,
} from '../schema/identity.ts';
import { available, handler, told } from './command.ts';
import { present } from './present.ts';

export const getHostName = handler(guestGetHostName, ({ backend }) => told(
  'cannot get hostname',
  () => available(backend.host?.hostName, 'host.hostName').get(),
  (name) => ({ 'host-name': name }),
));

export const getUsers = handler(guestGetUsers, ({ backend }) => told(
  'failed to list users',
  () => available(backend.accounts?.sessions, 'accounts.sessions').list(),
  (sessions) => firstSessions(sessions).map(({ user, loginTime, domain }) => present({ user, 'login-time': loginTime, domain })),
));

/** Each user once, in the order in which they turn up, with the earliest login. Users of two domains are two. */
function firstSessions(sessions: readonly UserSession[]): readonly UserSession[] {
  const first = new Map<string, UserSession>();
  for (const session of sessions) {
    const key = `${session.domain ?? ''}\\${session.user}`;
    const known = first.get(key);
    if (known === undefined || session.loginTime < known.loginTime) first.set(key, session);
  }
  return [...first.values()];
}

export const getTimezone = handler(guestGetTimezone, ({ backend }) => told(
  "Couldn't retrieve local timezone",
  () => available(backend.host?.timeZone, 'host.timeZone').get(),
  ({ offset, zone }) => present({ offset, zone }),
));

export const getOsinfo = handler(guestGetOsinfo, ({ backend }) => told(
  'uname failed',
  () => available(backend.host?.osInformation, 'host.osInformation').get(),
  (os) => present({
    'kernel-release': os.kernelRelease,
    'kernel-version': os.kernelVersion,
    machine: os.machine,
    id: os.id,
    name: os.name,
    'pretty-name': os.prettyName,
    version: os.version,
    'version-id': os.versionId,
    variant: os.variant,
    'variant-id': os.variantId,
  }),
));

export const getDevices = handler(guestGetDevices, async ({ backend }) => {
  try {
    const drivers = await available(backend.host?.devices, 'host.devices').list();
    return drivers.map(({ driverName, driverDate, driverVersion, pciId }) => present({
      'driver-name': driverName,
      'driver-date': driverDate,
      'driver-version': driverVersion,
      id: pciId === undefined ? undefined : { type: 'pci' as const, 'vendor-id': pciId.vendorId, 'device-id': pciId.deviceId },
    }));
  } catch (error) {
    throw withContext('failed to get device tree', error);
  }
});

export const getDriverPackages = handler(guestGetDriverPackages, async ({ backend }) => {
  try {
    const packages = await available(backend.host?.driverPackages, 'host.driverPackages').list();
    return packages.map(({ name, originalName, version, vendor }) => present({ name, 'original-name': originalName, version, vendor }));
  } catch (error) {
    throw withContext('failed to list driver packages', error);
  }
});

export const getDriverServices = handler(guestGetDriverServices, async ({ backend }) => {
  try {
    const services = await available(backend.host?.driverServices, 'host.driverServices').list();
    return services.map(({ name, driverPath, version, vendor, status }) => present({ name, 'driver-path': driverPath, version, vendor, status }));
  } catch (error) {
    throw withContext('failed to list driver services', error);
  }
});
