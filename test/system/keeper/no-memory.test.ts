// SPDX-License-Identifier: Apache-2.0
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { repository } from '../../wire/lib/build.ts';
import { ControlGroup } from '../exhaustion/cgroup.ts';

const run = promisify(execFile);
const problem = process.getuid?.() === 0 && existsSync('/dev/loop-control') && spawnSync('which', ['setpriv']).status === 0
  ? ControlGroup.problem('memory')
  : 'root, loop devices, setpriv';

describe('an agent with a keeper, where memory is at its limit', () => {
  const sentence = 'answers awake and asleep: ping, freeze, thaw, shutdown';
  it.skipIf(problem !== undefined)(problem === undefined ? sentence : `${sentence} (needs ${problem})`, async () => {
    const inside = [join(repository, 'test/system/lib/enter.sh'), repository, process.execPath, join(import.meta.dirname, 'no-memory.ts')];
    const { stdout } = await run('unshare', ['--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child', 'sh', ...inside], { timeout: 280_000 });

    const answered = Object.fromEntries(['guest-ping', 'guest-fsfreeze-freeze-list', 'guest-fsfreeze-thaw', 'guest-shutdown'].map((name) => [name, expect.any(Number) as number]));
    expect(JSON.parse(stdout)).toEqual({ awake: answered, asleep: answered });
    console.log(stdout.trim());
  });
});
