// SPDX-License-Identifier: Apache-2.0
/** What guest-get-osinfo calls a release: `Microsoft Windows 11` and `11`. */
export interface Release {
  readonly version: string;
  readonly versionId: string;
}

export interface WindowsVersion {
  readonly major: number;
  readonly minor: number;
  readonly build: number;
  readonly variant: 'client' | 'server';
}

type Row = readonly [major: number, minor: number, firstBuild: number, name: string, id: string];

/**
 * Releases by the version and first build that they have, the newest first. A build between two rows is of the earlier
 * one: 26100 and 26200 (24H2 and 25H2) are still Windows 11, 26100 on a server is Windows Server 2025.
 * qemu-ga 10.2 has the same rows but for Windows 7, which it calls `77`.
 */
const clients: readonly Row[] = [
  [10, 0, 22000, '11', '11'],
  [10, 0, 10240, '10', '10'],
  [6, 3, 0, '8.1', '8.1'],
  [6, 2, 0, '8', '8'],
  [6, 1, 0, '7', '7'],
  [6, 0, 0, 'Vista', 'vista'],
  [5, 1, 0, 'XP', 'xp'],
  [5, 0, 0, '2000', '2000'],
];

const servers: readonly Row[] = [
  [10, 0, 26040, 'Server 2025', '2025'],
  [10, 0, 20344, 'Server 2022', '2022'],
  [10, 0, 17763, 'Server 2019', '2019'],
  [10, 0, 14393, 'Server 2016', '2016'],
  [6, 3, 0, 'Server 2012 R2', '2012r2'],
  [6, 2, 0, 'Server 2012', '2012'],
  [6, 1, 0, 'Server 2008 R2', '2008r2'],
  [6, 0, 0, 'Server 2008', '2008'],
  [5, 2, 0, 'Server 2003', '2003'],
];

/** `N/A` for both where the version is in no table, as qemu-ga 10.2 says. */
export function releaseOf({ major, minor, build, variant }: WindowsVersion): Release {
  const found = (variant === 'client' ? clients : servers)
    .find(([itsMajor, itsMinor, first]) => major === itsMajor && minor === itsMinor && build >= first);
  return found === undefined ? { version: 'N/A', versionId: 'N/A' } : { version: `Microsoft Windows ${found[3]}`, versionId: found[4] };
}
