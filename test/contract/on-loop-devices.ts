// SPDX-License-Identifier: Apache-2.0
/**
 * The contract of freezing on real file systems, as a program: run by node:test in a mount namespace of its own
 * (`unshare --mount`), with image files on a tmpfs. Only what is mounted here is frozen.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';

import { linuxBackend } from '../../adapters/linux/module.ts';
import { posixPrograms, scratchOnDisk, testBackend, type ContractSubject } from '../../kit/contract/index.ts';

const [base] = process.argv.slice(2);
if (base === undefined) throw new Error('give an empty directory in which the file systems may be mounted');

const run = (program: string, ...words: string[]): string => execFileSync(program, words, { encoding: 'utf8' });
const at = (name: string): string => join(base, name);

/** A file system in an image, mounted through a loop device. */
function mountImage(image: string, mountPoint: string, size: string, type: string): void {
  mkdirSync(mountPoint);
  run('truncate', '--size', size, image);
  run(`mkfs.${type}`, '-q', image);
  run('mount', '-o', 'loop', image, mountPoint);
}

run('mount', '-t', 'tmpfs', 'tmpfs', base);
mkdirSync(at('state'));
mountImage(at('outer.img'), at('outer'), '96M', 'ext4');
mountImage(join(at('outer'), 'inner.img'), at('inner'), '32M', 'ext4');
const mountPoints = [at('inner'), at('outer')];

after(() => {
  // Whatever a failed test has left frozen, from the bottom: a thaw writes to what lies below.
  for (const mountPoint of mountPoints.toReversed()) {
    try {
      execFileSync('fsfreeze', ['--unfreeze', mountPoint], { stdio: 'ignore' });
    } catch {
      // It was not frozen, as it should be.
    }
  }
  for (const mountPoint of mountPoints) run('umount', mountPoint);
  run('umount', base);
});

async function subject(): Promise<ContractSubject> {
  const scratchDirectory = await mkdtemp(at('scratch-'));
  return {
    backend: linuxBackend(),
    scratchDirectory,
    scratch: scratchOnDisk,
    knows: {
      programs: posixPrograms((path, text, mode) => writeFile(path, text, { mode })),
      mountPoint: at('outer'),
    },
    safe: {
      freeze: mountPoints.map((mountPoint) => ({ mountPoint, writable: mountPoint })),
      stateDirectory: at('state'),
    },
    cleanup: () => rm(scratchDirectory, { recursive: true, force: true }),
  };
}

await testBackend('linux, on loop devices', subject, { describe, it }, {
  only: ['fileSystem.freezing', 'fileSystem.usage', 'fileSystem.disks'],
  except: { 'thawing everything goes in mount order, whatever the order of the list': 'the backend for Linux goes by the list' },
});
