import { hostname, machine, release, version } from 'node:os';

import type { Host, OsInformation } from '../../core/ports/index.ts';
import { attribute, failedBecause } from './kernel-files.ts';
import { parseOsRelease, type OsRelease } from './os-release.ts';
import { textFromBytes } from './text.ts';
import { localTimeAt, type ReadFile } from './time-zone.ts';

export interface HostSources {
  /** Put before every path: '' for the running system. */
  readonly root: string;
  readonly readFile: ReadFile;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Seconds since 1970-01-01 UTC. */
  readonly now?: () => number;
}

/** What the guest says of itself: uname(2), os-release(5), time zone. */
export function linuxHost({ root, readFile, environment = process.env, now = () => Date.now() / 1000 }: HostSources): Host {
  return {
    hostName: {
      get: async () => {
        try {
          return attribute(`${root}/proc/sys/kernel/hostname`) ?? hostname();
        } catch (error) {
          throw failedBecause('cannot get hostname', error);
        }
      },
    },
    timeZone: {
      get: async () => {
        const { offset, zone } = await localTimeAt({ root, environment, readFile }, now());
        return zone === '' ? { offset } : { offset, zone };
      },
    },
    osInformation: {
      get: async () => ({ ...kernelInformation(root), ...distribution(await readOsRelease(root, environment['QGA_OS_RELEASE'], readFile)) }),
    },
  };
}

function kernelInformation(root: string): OsInformation {
  const kernel = `${root}/proc/sys/kernel`;
  try {
    return {
      kernelRelease: attribute(`${kernel}/osrelease`) ?? release(),
      kernelVersion: attribute(`${kernel}/version`) ?? version(),
      // There since Linux 6.1.
      machine: attribute(`${kernel}/arch`) ?? machine(),
    };
  } catch (error) {
    throw failedBecause('uname failed', error);
  }
}

const fileLimit = 64 * 1024;

/** The file that `QGA_OS_RELEASE` names, else the two of os-release(5); empty where none can be read. */
async function readOsRelease(root: string, named: string | undefined, readFile: ReadFile): Promise<OsRelease> {
  for (const path of named === undefined ? ['/etc/os-release', '/usr/lib/os-release'] : [named]) {
    try {
      return parseOsRelease(textFromBytes(await readFile(`${root}${path}`, fileLimit)));
    } catch {
      // The next one.
    }
  }
  return new Map();
}

const members = {
  id: 'ID',
  name: 'NAME',
  prettyName: 'PRETTY_NAME',
  version: 'VERSION',
  versionId: 'VERSION_ID',
  variant: 'VARIANT',
  variantId: 'VARIANT_ID',
} as const satisfies Partial<Record<keyof OsInformation, string>>;

const distribution = (values: OsRelease): OsInformation =>
  Object.fromEntries(Object.entries(members).filter(([, key]) => values.has(key)).map(([member, key]) => [member, values.get(key)]));
