// SPDX-License-Identifier: Apache-2.0
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { commandNames } from '../../../core/schema/index.ts';
import { repository, setup } from '../../wire/lib/build.ts';
import { ControlGroup } from './cgroup.ts';

const run = promisify(execFile);
const has = (program: string): boolean => spawnSync('which', [program]).status === 0;

/** What is missing, for the name of the test that is skipped. */
function missing(controller?: 'pids' | 'memory'): string {
  const lacks = [
    ...(process.getuid?.() === 0 ? [] : ['root']),
    ...['unshare', 'setpriv', 'prlimit', 'mkfs.ext4'].filter((program) => !has(program)),
    ...(existsSync('/dev/loop-control') ? [] : ['loop devices']),
  ];
  const problem = lacks.length > 0 || controller === undefined ? undefined : ControlGroup.problem(controller);
  return [...lacks, ...(problem === undefined ? [] : [`control groups for ${controller}: ${problem}`])].join(', ');
}

const ways = [
  ['processes', 'pids', missing('pids')],
  ['descriptors', 'descriptors', missing()],
  ['memory', 'memory', missing('memory')],
  ['address space', 'address-space', missing()],
] as const;

/** Runs where no file system of the machine can be reached, in a namespace of processes of its own. */
async function outcomes(way: string): Promise<unknown> {
  setup();
  const inside = [join(repository, 'test/system/lib/enter.sh'), repository, process.execPath, join(import.meta.dirname, 'run.ts'), way];
  const { stdout } = await run('unshare', ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', 'sh', ...inside], { timeout: 280_000 });
  return JSON.parse(stdout);
}

describe('an agent on a machine that runs out', () => {
  for (const [what, way, lacks] of ways) {
    const sentence = `of ${what} answers every command, and goes on when there is enough again`;
    it.skipIf(lacks !== '')(lacks === '' ? sentence : `${sentence} (needs ${lacks})`, async () => {
      const answered = { said: expect.not.stringMatching(/^(?:Error|then|malformed|the connection)/) as string, afterwards: 'well' };

      expect(await outcomes(way)).toEqual(Object.fromEntries(commandNames.map((name) => [name, answered])));
    });
  }
});
