// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, closeSync, constants, fstatSync, linkSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { readRegularFile } from '../../../adapters/config/read-regular-file.ts';
import { closeWalk, walkPath } from '../../../adapters/shared/trust/path-walk.ts';
import { isTrustedDirectory } from '../../../adapters/shared/trust/trusted-directory.ts';
import { openTrusted, readTrusted } from '../../../adapters/shared/trust/trusted-file.ts';

const isRoot = process.getuid?.() === 0;
let directory: string;
const path = (name: string): string => join(directory, name);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'concierge-trust-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe.skipIf(process.platform === 'win32')('the way to a place', () => {
  it('names every directory and link, and what it ends in, as they really are', () => {
    mkdirSync(path('real'));
    writeFileSync(path('real/file'), '');
    symlinkSync('real/', path('link'));

    const walk = walkPath(`${directory}//link/./../link/file`);
    closeWalk(walk);

    const below = walk.steps.map((step) => step.path).filter((one) => one.startsWith(`${directory}/`));
    expect(below).toEqual(['link', 'real', 'real', 'real', 'link', 'real', 'real', 'real/file'].map(path));
    expect(walk).toMatchObject({ errno: 0, missing: [], name: 'file' });
  });

  it.each([
    ['missing/a', 2, ['missing', 'a']],
    ['file/a', 20, ['a']],
    ['ring', 40, []],
  ])('that cannot be gone to its end says where it stops: %s', (name, errno, missing) => {
    writeFileSync(path('file'), '');
    symlinkSync('ring', path('ring'));

    const walk = walkPath(path(name));
    closeWalk(walk);

    expect(walk.errno).toBe(errno);
    if (errno !== 40) expect(walk.missing).toEqual(missing);
  });

  it.skipIf(process.platform !== 'linux')('is held: what was found is used, whatever its name leads to later (needs descriptors of O_PATH)', () => {
    mkdirSync(path('a'));
    writeFileSync(path('a/file'), 'the one that was judged');
    const walk = walkPath(path('a/file'));
    renameSync(path('a'), path('b'));
    mkdirSync(path('a'));
    writeFileSync(path('a/file'), 'another');

    const text = readFileSync(`/proc/self/fd/${walk.place}`, 'utf8');
    closeWalk(walk);

    expect(text).toBe('the one that was judged');
  });

  it.skipIf(process.platform !== 'linux')('tells of an access list that gives somebody else the rights of the group (needs one on the file system)', (context) => {
    writeFileSync(path('file'), '', { mode: 0o644 });
    // What `setfacl -m u:65534:rw` writes (acl(5), linux/posix_acl_xattr.h): owner, the user, group, mask, others.
    const entries = '(1,6,-1),(2,6,65534),(4,4,-1),(16,6,-1),(32,4,-1)';
    const list = `struct.pack('<I',2)+b''.join(struct.pack('<HHi',*e) for e in [${entries}])`;
    try {
      execFileSync('python3', ['-c', `import os,struct; os.setxattr('${path('file')}','system.posix_acl_access',${list})`], { stdio: 'ignore' });
    } catch {
      context.skip('needs python3, and a file system with access lists');
    }

    expect(() => readTrusted(path('file'), 10)).toThrow(`${path('file')} can be written by others than its owner, by an access list: run setfacl -b on it`);
  });
});

describe.skipIf(process.platform === 'win32')('a trusted file', () => {
  it('is made private where it is missing, and only there', () => {
    closeSync(openTrusted(path('new'), { flags: constants.O_WRONLY, create: 0o600 }));

    expect(statSync(path('new')).mode & 0o777).toBe(0o600);
    expect(() => openTrusted(path('other'), { flags: constants.O_WRONLY })).toThrow('No such file or directory');
  });

  it('is followed to where a link of the agent’s own leads, but not made at the end of one', () => {
    writeFileSync(path('real'), 'text');
    symlinkSync('real', path('link'));
    symlinkSync('missing', path('dangling'));

    const made = openTrusted(path('dangling'), { flags: constants.O_WRONLY, create: 0o600 });

    expect(readTrusted(path('link'), 10).toString()).toBe('text');
    expect(fstatSync(made).ino).toBe(statSync(path('missing')).ino);
    closeSync(made);
  });

  it.each([
    ['a directory', (file: string) => mkdirSync(file)],
    ['a FIFO, which is not waited for', (file: string) => execFileSync('mkfifo', ['-m', '600', file])],
  ])('that is read is not %s', (_, make) => {
    make(path('thing'));

    expect(() => readTrusted(path('thing'), 10)).toThrow('Not a regular file');
  });

  it('that is read is no longer than it may be', () => {
    writeFileSync(path('long'), 'x'.repeat(11));

    expect(readTrusted(path('long'), 11)).toHaveLength(11);
    expect(() => readTrusted(path('long'), 10)).toThrow('it is longer than 10 bytes');
  });

  it('in a directory of everybody’s with the sticky bit has one name', () => {
    mkdirSync(path('shared'));
    chmodSync(path('shared'), 0o1777);
    writeFileSync(path('shared/one'), 'mine');
    writeFileSync(path('real'), 'root’s own');
    linkSync(path('real'), path('shared/two'));

    expect(readTrusted(path('shared/one'), 10).toString()).toBe('mine');
    expect(() => readTrusted(path('shared/two'), 10)).toThrow(`${path('shared/two')} has a second name (a hard link)`);
  });

  it('can be a directory that is still to be made, for who can choose another one', () => {
    mkdirSync(path('open'));
    chmodSync(path('open'), 0o777);

    expect([directory, path('missing'), path('open'), path('open/missing')].map(isTrustedDirectory)).toEqual([true, true, false, false]);
  });
});

describe.skipIf(process.platform === 'win32')('a configuration file', () => {
  it.each([[0o646, 'everybody: run chmod o-w on it']])('of mode %o is refused', (mode, who) => {
    writeFileSync(path('conf'), '[general]\n');
    chmodSync(path('conf'), mode);

    expect(() => readRegularFile(path('conf'))).toThrow(`${path('conf')} can be written by ${who}`);
  });

  it.skipIf(!isRoot)('of another user, or of a group’s, is refused (needs root)', () => {
    writeFileSync(path('conf'), '[general]\n');
    chownSync(path('conf'), 65534, 0);
    expect(() => readRegularFile(path('conf'))).toThrow(`${path('conf')} belongs to user 65534 and not to root: run chown root on it`);

    chownSync(path('conf'), 0, 65534);
    chmodSync(path('conf'), 0o664);
    expect(() => readRegularFile(path('conf'))).toThrow(`${path('conf')} can be written by the group 65534: run chmod g-w on it`);
  });

  it('is not read through a directory that others may write to', () => {
    mkdirSync(path('etc'));
    writeFileSync(path('etc/conf'), '[general]\n');
    chmodSync(path('etc'), 0o777);

    expect(() => readRegularFile(path('etc/conf'))).toThrow(`${path('etc')} can be written by everybody: run chmod o-w on it`);
  });
});
