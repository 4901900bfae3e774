// SPDX-License-Identifier: Apache-2.0
import { withContext } from '../errors/agent-error.ts';
import type { UserSession } from '../ports/index.ts';
import {
  guestGetDevices, guestGetDriverPackages, guestGetDriverServices, guestGetHostName, guestGetOsinfo, guestGetTimezone, guestGetUsers,
} from '../schema/identity.ts';
import { available, handler } from './command.ts';
import { present } from './present.ts';

export const getHostName = handler(guestGetHostName, async ({ backend }) => {
  try {
    return { 'host-name': await available(backend.host?.hostName, 'host.hostName').get() };
  } catch (error) {
    throw withContext('cannot get hostname', error);
  }
});

export const getUsers = handler(guestGetUsers, async ({ backend }) => {
  try {
    const sessions = await available(backend.accounts?.sessions, 'accounts.sessions').list();
    return firstSessions(sessions).map(({ user, loginTime, domain }) => present({ user, 'login-time': loginTime, domain }));
  } catch (error) {
    throw withContext('failed to list users', error);
  }
});

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

export const getTimezone = handler(guestGetTimezone, async ({ backend }) => {
  try {
    const { offset, zone } = await available(backend.host?.timeZone, 'host.timeZone').get();
    return present({ offset, zone });
  } catch (error) {
    throw withContext("Couldn't retrieve local timezone", error);
  }
});

export const getOsinfo = handler(guestGetOsinfo, async ({ backend }) => {
  try {
    const os = await available(backend.host?.osInformation, 'host.osInformation').get();
    return present({
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
    });
  } catch (error) {
    throw withContext('uname failed', error);
  }
});

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
