// SPDX-License-Identifier: Apache-2.0
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';

import { files } from '../../../adapters/linux/files/files.ts';
import { linuxHooks } from '../../../adapters/linux/programs/hooks.ts';
import { readTrusted } from '../../../adapters/shared/trust/trusted-file.ts';
import { StateDirectory } from '../../../adapters/state-store/state-directory.ts';
import { messageOf } from '../../../core/errors/agent-error.ts';

/** How often the agent looks while another user exchanges what it looks at. */
const rounds = 10_000;
const other = 65534;

let scratch: string;
let shared: string;
let own: string;

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'concierge-race-'));
  // The last of what a test has registered: the other user is gone by then.
  onTestFinished(() => rmSync(scratch, { recursive: true, force: true }));
  chmodSync(scratch, 0o755);
  shared = join(scratch, 'shared');
  mkdirSync(shared);
  chmodSync(shared, 0o1777);
  own = join(scratch, 'own');
  mkdirSync(own, { mode: 0o755 });
});

/** The other user, at work until the test ends. */
async function swapping(name: string, target: string): Promise<void> {
  const swapper = spawn('python3', [join(import.meta.dirname, 'swapper.py'), shared, name, target, String(other)], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(async () => {
    const ended = new Promise((resolve) => swapper.once('exit', resolve));
    swapper.kill('SIGKILL');
    await ended;
  });
  await new Promise((resolve) => swapper.stdout.once('data', resolve));
}

/** What became of so many tries, and how often. */
function tally(outcomes: Map<string, number>, outcome: string): void {
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
}

describe.skipIf(process.getuid?.() !== 0)('while another user exchanges what a name leads to (needs root)', () => {
  it('no file of the agent’s is cut off or written to through a link, and none of the other’s', async () => {
    const precious = join(own, 'precious');
    writeFileSync(precious, 'precious');
    await swapping('name', precious);
    const outcomes = new Map<string, number>();

    for (let round = 0; round < rounds; round += 1) {
      try {
        const file = await files.open(join(shared, 'name'), { read: false, write: true, append: false, create: true, truncate: true });
        await file.write(Buffer.from('of the host'));
        await file.close();
        tally(outcomes, 'made');
        rmSync(join(shared, 'name'), { force: true });
      } catch (error) {
        tally(outcomes, messageOf(error).replace(/ \(.*/, ''));
      }
    }

    expect(readFileSync(precious, 'utf8')).toBe('precious');
    expect(readFileSync(join(shared, 'theirs'), 'utf8')).toBe('theirs');
    expect(outcomes.get('Permission denied')).toBeGreaterThan(0);
  });

  it('no state directory and no file is taken from it', async () => {
    mkdirSync(join(own, 'state'), { mode: 0o700 });
    await swapping('name', join(own, 'state'));
    const outcomes = new Map<string, number>();

    for (let round = 0; round < rounds; round += 1) {
      for (const look of [
        (): void => {
          const place = new StateDirectory(join(shared, 'name'));
          tally(outcomes, place.exists ? 'believed' : 'missing');
          place.close();
        },
        (): void => {
          readTrusted(join(shared, 'name'), 100);
          tally(outcomes, 'believed');
        },
      ]) {
        try {
          look();
        } catch (error) {
          tally(outcomes, /belongs to user 65534/.test(messageOf(error)) ? 'refused' : 'other');
        }
      }
    }

    expect(outcomes.get('believed')).toBeUndefined();
    expect(outcomes.get('refused')).toBeGreaterThan(0);
    expect(readdirSync(join(own, 'state'))).toEqual([]);
  });

  it('no hook of the other’s is run, nor one of the agent’s through a link of the other’s', async () => {
    const ran = join(own, 'ran');
    mkdirSync(join(own, 'hooks'), { mode: 0o755 });
    writeFileSync(join(own, 'hooks/hook'), `#!/bin/sh\necho x >> ${ran}\n`);
    chmodSync(join(own, 'hooks/hook'), 0o755);
    await swapping('name', join(own, 'hooks'));
    const options = { directory: join(shared, 'name'), script: join(shared, 'name/hook'), timeLimitMs: 0 };
    const outcomes = new Map<string, number>();

    for (let round = 0; round < rounds / 10; round += 1) {
      // A file of the other's in place of the directory fails the freeze.
      for (const hook of await linuxHooks(options).list().catch(() => [])) {
        tally(outcomes, hook.refused === undefined ? 'listed' : 'refused');
        // Whatever the list said: a run judges anew.
        if (round % 20 === 0) tally(outcomes, (await hook.run('freeze')).ok ? 'run' : 'not run');
      }
    }

    expect(existsSync(ran)).toBe(false);
    expect(outcomes.get('run')).toBeUndefined();
    expect(outcomes.get('refused')).toBeGreaterThan(0);
    expect(statSync(join(own, 'hooks/hook')).mode & 0o777).toBe(0o755);
  });
});
