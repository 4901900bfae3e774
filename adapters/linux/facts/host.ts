// SPDX-License-Identifier: Apache-2.0
import { hostname, machine, release, version } from 'node:os';

import type { Host, OsInformation, Ready } from '../../../core/ports/index.ts';
import { next } from '../../shared/ready.ts';
import { attribute, failedBecause } from '../kernel-files.ts';
import { parseOsRelease } from './os-release.ts';
import { RememberedFiles, type ReadFile, type StampFile } from '../remembered-file.ts';
import { textFromBytes } from '../text.ts';
import { localTimeAt, zoneFileLimit } from './time-zone.ts';

export interface HostSources {
  /** Put before every path: '' for the running system. */
  readonly root: string;
  readonly readFile: ReadFile;
  /** Answers the first `limit` bytes of a longer file. */
  readonly readStart: ReadFile;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Seconds since 1970-01-01 UTC. */
  readonly now?: () => number;
  readonly stamp?: StampFile;
}

/** What the guest says of itself: uname(2), os-release(5), time zone. */
export function linuxHost({ root, readFile, readStart, environment = process.env, now = () => Date.now() / 1000, stamp }: HostSources): Host {
  const releases = new RememberedFiles({
    readFile: readStart,
    parse: (bytes) => distribution(wholeLines(bytes)),
    limit: fileLimit + 1,
    ...(stamp === undefined ? {} : { stamp }),
  });
  const zones = new RememberedFiles({ readFile, parse: (bytes) => bytes, limit: zoneFileLimit, ...(stamp === undefined ? {} : { stamp }) });
  return {
    hostName: {
      get: () => {
        try {
          return hostNameBelow(root) ?? hostname();
        } catch (error) {
          throw failedBecause('cannot get hostname', error);
        }
      },
    },
    timeZone: {
      get: () => next(
        localTimeAt({ root, environment, readFile: (path) => zones.get(path) }, now()),
        ({ offset, zone }) => (zone === '' ? { offset } : { offset, zone }),
      ),
    },
    osInformation: {
      get: () => {
        const kernel = kernelInformation(root);
        return next(distributionBelow(root, environment['QGA_OS_RELEASE'], releases), (its) => ({ ...kernel, ...its }));
      },
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

/** Of a longer os-release, the lines that are whole within the limit are read: distributions put their names first. */
const fileLimit = 64 * 1024;

/** Without the line that the limit may have cut: half a value is a wrong one. */
function wholeLines(bytes: Uint8Array): string {
  if (bytes.length <= fileLimit) return textFromBytes(bytes);
  return textFromBytes(bytes.subarray(0, Buffer.from(bytes.buffer, bytes.byteOffset, fileLimit).lastIndexOf('\n') + 1));
}

type Distribution = Partial<OsInformation>;

/** The file that `QGA_OS_RELEASE` names, else the two of os-release(5); empty where none can be read. */
function distributionBelow(root: string, named: string | undefined, releases: RememberedFiles<Distribution>): Ready<Distribution> {
  const firstOf = ([path, ...others]: readonly string[]): Ready<Distribution> => {
    if (path === undefined) return {};
    const found = releases.get(root + path);
    return found instanceof Promise ? found.catch(() => firstOf(others)) : found;
  };
  return firstOf(named === undefined ? ['/etc/os-release', '/usr/lib/os-release'] : [named]);
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
