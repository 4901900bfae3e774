// SPDX-License-Identifier: Apache-2.0
/** The backup script of the examples against agents that really freeze: ours, and Debian's. */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';

import { theirs } from '../../bench/lib/agents.ts';
import { repository, setup } from '../wire/lib/build.ts';

const has = (program: string): boolean => spawnSync('which', [program]).status === 0;

const lacks = [
  ...(process.platform === 'linux' && process.getuid?.() === 0 ? [] : ['root on Linux']),
  ...['unshare', 'pivot_root', 'losetup', 'fsfreeze', 'mkfs.ext4', 'mkfs.xfs', 'dumpe2fs'].filter((program) => !has(program)),
  ...(existsSync('/dev/loop-control') ? [] : ['loop devices']),
].join(', ');

/** Debian's agent, or why there is none. */
function qemuGa(): readonly string[] | string {
  if (lacks !== '') return `needs ${lacks}`;
  try {
    return theirs().command;
  } catch (error) {
    return `needs Debian's qemu-guest-agent, and it could not be downloaded: ${error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : String(error)}`;
  }
}

type Results = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

async function onAgent(command: readonly string[]): Promise<Results> {
  const words = ['--mount', '--propagation', 'private', 'sh', join(repository, 'test/system/lib/enter.sh'), repository];
  const { stdout } = await promisify(execFile)('unshare', [...words, process.execPath, join(repository, 'test/system/backup/backups.ts'), ...command]);
  return JSON.parse(stdout) as Results;
}

const nothingLeft = { out: '', frozen: [] };

/** What holds on any agent. */
function onAny(results: () => Results): void {
  it('makes a copy that needs no recovery while the guest writes, and leaves nothing frozen', () => {
    expect(results()['consistent']).toEqual({
      status: 0,
      out: 'copied with 2 file systems frozen\n',
      err: '',
      copied: { needsRecovery: false, check: 0 },
      // A copy of the image as it is now would need one.
      live: true,
      frozen: [],
    });
  });

  it('says so when the copy fails, and leaves nothing frozen', () => {
    expect(results()['failing']).toEqual({ ...nothingLeft, status: 1, err: 'no consistent copy: Command failed: sh -c exit 3' });
  });

  it('does not call a copy consistent when somebody else thawed the guest', () => {
    expect(results()['thawedBySomebodyElse']).toEqual({ ...nothingLeft, status: 1, err: expect.stringContaining('no consistent copy: the guest was thawed before') });
  });

  it('says that the guest may be frozen when the agent is killed, as it is', () => {
    expect(results()['killed']).toMatchObject({ ...nothingLeft, status: 2, err: expect.stringContaining('may still be frozen'), held: ['/mnt/q/disk', '/mnt/q/data'] });
  });
}

describe.skipIf(lacks !== '')(`the backup script on an agent that freezes loop devices${lacks === '' ? '' : ` (needs ${lacks})`}`, () => {
  let results: Results = {};
  beforeAll(async () => {
    setup();
    results = await onAgent(['concierge-ga']);
  }, 600_000);

  onAny(() => results);

  it('copies nothing when a hook in the guest says no', () => {
    expect(results['vetoed']).toEqual({ ...nothingLeft, status: 1, copied: false, err: expect.stringContaining('the database is busy') });
  });

  it('does not call a copy consistent that took longer than the agent holds', () => {
    expect(results['tooLong']).toEqual({ ...nothingLeft, status: 1, err: expect.stringContaining('the guest was thawed before the work was done') });
  });

  it('thaws through the agent that comes after one that was killed', () => {
    expect(results['killedAndBack']).toEqual({ ...nothingLeft, status: 1, err: 'no consistent copy: the agent closed the channel\n' });
  });
});

const reference = qemuGa();

describe.skipIf(typeof reference === 'string')(`the backup script on Debian's qemu-ga${typeof reference === 'string' ? ` (${reference})` : ''}`, () => {
  let results: Results = {};
  beforeAll(async () => {
    results = await onAgent(reference as readonly string[]);
  }, 600_000);

  onAny(() => results);
});
