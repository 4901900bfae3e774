// SPDX-License-Identifier: Apache-2.0
/** When the suite of virtual machines is skipped, and when it fails. */
import { describe, expect, it } from 'vitest';

import { reasonToSkip, whyNotFetched } from '../../vm/lab/unreachable.ts';

const failed = (...lines: readonly string[]): Error => new Error(['Command failed: mmdebstrap --mode=root trixie /root', ...lines].join('\n'));

/** As apt 2.6 and mmdebstrap 1.3 of Debian 12 have it. */
const refused = failed(
  'I: running apt-get update...',
  'Err:1 http://archive.invalid/debian trixie InRelease',
  '  Could not connect to archive.invalid:80 (192.0.2.1). - connect (111: Connection refused)',
  'E: Failed to fetch http://archive.invalid/debian/dists/trixie/InRelease  Could not connect to archive.invalid:80 (192.0.2.1). - connect (111: Connection refused)',
  'E: Some index files failed to download. They have been ignored, or old ones used instead.',
  'E: mmdebstrap failed to run',
);

describe('a host or a guest that cannot be downloaded', () => {
  it.each([
    ['nobody listens', refused, 'Failed to fetch http://archive.invalid/debian/dists/trixie/InRelease Could not connect to archive.invalid:80 (192.0.2.1). - connect (111: Connection refused)'],
    ['no name is found', failed("W: Failed to fetch http://archive.invalid/dists/trixie/InRelease  Could not resolve 'archive.invalid'"), "Failed to fetch http://archive.invalid/dists/trixie/InRelease Could not resolve 'archive.invalid'"],
    ['the suite is gone', failed("E: The repository 'http://archive.invalid trixie Release' does not have a Release file."), "The repository 'http://archive.invalid trixie Release' does not have a Release file."],
    ['the suite is empty', failed('E: Failed to fetch http://archive.invalid/dists/trixie/main/binary-amd64/Packages  404  File not found [IP: 192.0.2.1 80]'), 'Failed to fetch http://archive.invalid/dists/trixie/main/binary-amd64/Packages 404 File not found [IP: 192.0.2.1 80]'],
    ['the package is gone', failed('W: Some index files failed to download. They have been ignored, or old ones used instead.', 'E: Unable to locate package qemu-guest-agent'), 'Some index files failed to download. They have been ignored, or old ones used instead.'],
  ])('says why where %s', (_what, error, why) => {
    expect(whyNotFetched(error)).toBe(why);
    expect(reasonToSkip('the host trixie', error, {})).toBe(`the host trixie cannot be downloaded: ${why}`);
  });

  it.each([{ CI: 'true' }, { CI: '1' }])('is a failure in continuous tests: $CI', (environment) => {
    expect(() => reasonToSkip('the host trixie', refused, environment)).toThrow(/^the host trixie cannot be downloaded, and CI has to have it: Failed to fetch/);
  });

  it.each([{}, { CI: '' }, { CI: 'false' }])('is a reason to skip elsewhere: $CI', (environment) => {
    expect(reasonToSkip('the guest 7.3', refused, environment)).toMatch(/^the guest 7\.3 cannot be downloaded: Failed to fetch/);
  });

  it.each([
    ['a disk is full', failed('E: write error: No space left on device')],
    ['a program is broken', failed('mke2fs: no such option')],
    ['a fetch was made up for', failed('Err:1 http://archive.invalid/debian trixie InRelease', 'E: mmdebstrap failed to run')],
    ['it is no error of a program', 'Failed to fetch'],
  ])('is a failure everywhere where %s', (_what, error) => {
    expect(whyNotFetched(error)).toBeUndefined();
    expect(() => reasonToSkip('the host trixie', error, {})).toThrow();
  });
});
