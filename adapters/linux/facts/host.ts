import { hostname, machine, release, version } from 'node:os';

import type { Host, OsInformation } from '../../../core/ports/index.ts';
import { attribute, failedBecause } from '../kernel-files.ts';
import { parseOsRelease } from './os-release.ts';
import { RememberedFiles, type StampFile } from '../remembered-file.ts';
import { textFromBytes } from '../text.ts';
import { localTimeAt, type ReadFile } from './time-zone.ts';

export interface HostSources {
  /** Put before every path: '' for the running system. */
  readonly root: string;
  readonly readFile: ReadFile;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Seconds since 1970-01-01 UTC. */
  readonly now?: () => number;
  readonly stamp?: StampFile;
}

/** What the guest says of itself: uname(2), os-release(5), time zone. */
export function linuxHost({ root, readFile, environment = process.env, now = () => Date.now() / 1000, stamp }: HostSources): Host {
  const releases = new RememberedFiles({
    readFile,
    parse: (bytes) => distribution(textFromBytes(bytes)),
    limit: fileLimit,
    ...(stamp === undefined ? {} : { stamp }),
  });
  return {
    hostName: {
      get: async () => {
        try {
          return hostNameBelow(root) ?? hostname();
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
      get: async () => ({ ...kernelInformation(root), ...(await distributionBelow(root, environment['QGA_OS_RELEASE'], releases)) }),
    },
  };
}

const hostNameBelow = (root: string): string | undefined => (root === '' ? undefined : attribute(`${root}/proc/sys/kernel/hostname`));

function kernelInformation(root: string): OsInformation {
  const said = (name: string): string | undefined => (root === '' ? undefined : attribute(`${root}/proc/sys/kernel/${name}`));
  try {
    // `arch` is there since Linux 6.1.
    return { kernelRelease: said('osrelease') ?? release(), kernelVersion: said('version') ?? version(), machine: said('arch') ?? machine() };
  } catch (error) {
    throw failedBecause('uname failed', error);
  }
}

const fileLimit = 64 * 1024;

type Distribution = Partial<OsInformation>;

/** The file that `QGA_OS_RELEASE` names, else the two of os-release(5); empty where none can be read. */
async function distributionBelow(root: string, named: string | undefined, releases: RememberedFiles<Distribution>): Promise<Distribution> {
  for (const path of named === undefined ? ['/etc/os-release', '/usr/lib/os-release'] : [named]) {
    try {
      return await releases.get(root + path);
    } catch {
      // The next one.
    }
  }
  return {};
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

function distribution(text: string): Distribution {
  const values = parseOsRelease(text);
  return Object.fromEntries(Object.entries(members).filter(([, key]) => values.has(key)).map(([member, key]) => [member, values.get(key)]));
}
