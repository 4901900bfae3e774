// SPDX-License-Identifier: Apache-2.0
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadGolden } from '../wire/golden.ts';
import { repository, setup } from '../wire/lib/build.ts';
import { differenceOf, expectLines, verdict } from '../wire/lib/expectation.ts';
import { deviations, shapeOf } from '../wire/lib/shape.ts';

const has = (program: string): boolean => spawnSync('which', [program]).status === 0;

const lacks = [
  ...(process.getuid?.() === 0 ? [] : ['root']),
  ...['unshare', 'pivot_root', 'losetup', 'fsfreeze', 'mkfs.ext4', 'mkfs.xfs', 'mkfs.btrfs'].filter((program) => !has(program)),
  ...(existsSync('/dev/loop-control') ? [] : ['loop devices']),
].join(', ');

/** Sizes depend on the release of the mkfs programs and of the kernel. */
const general = (line: string): string => line.replace(/"trimmed": [1-9]\d*/g, '"trimmed": N');

interface Listed {
  readonly return: readonly { readonly mountpoint: string; readonly type: string }[];
}

const listed = (line: string): string[] => (JSON.parse(line) as Listed).return.map(({ mountpoint, type }) => `${type} on ${mountpoint}`);

describe.skipIf(lacks !== '')(`the recorded exchanges about freezing, in one sequence${lacks === '' ? '' : ` (needs ${lacks})`}`, () => {
  let lines: Readonly<Record<string, readonly string[]>> = {};

  beforeAll(async () => {
    setup();
    const folder = join(repository, 'test/system/freeze-golden');
    const words = ['--mount', '--propagation', 'private', 'sh', join(repository, 'test/system/lib/enter.sh'), repository, process.execPath, join(folder, 'replay.ts')];
    const { stdout } = await promisify(execFile)('unshare', words, { timeout: 240_000 });
    lines = JSON.parse(stdout) as typeof lines;
  });

  for (const exchange of loadGolden('freeze')) {
    const expected = differenceOf(exchange)?.responses ?? exchange.responses;

    it(`${exchange.name}: ${verdict(exchange)}`, () => {
      const [line = ''] = lines[exchange.name] ?? [];
      const [recorded] = expected;
      if (exchange.name.startsWith('fsinfo') && typeof recorded === 'string') {
        expect(listed(line)).toEqual(listed(recorded));
        expect(deviations(shapeOf(JSON.parse(line) as never), shapeOf(JSON.parse(recorded) as never))).toEqual([]);
      } else {
        expectLines([general(line)], expected.map((one) => (typeof one === 'string' ? general(one) : one)));
      }
    });
  }
});
