// SPDX-License-Identifier: Apache-2.0
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
/** The Node of the repository runs TypeScript as it is, whichever one runs this test. */
const ownNode = join(root, 'node_modules/.bin/node');
const node = existsSync(ownNode) ? ownNode : process.execPath;

/** What is missing for file systems of our own; undefined where everything is there. */
function missing(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux';
  if (!existsSync(join(root, 'build/Release/concierge-guardian'))) return 'needs the guardian: npm run build:native';
  for (const program of ['mkfs.ext4', 'fsfreeze', 'losetup', 'unshare']) {
    try {
      execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    } catch {
      return `needs the program ${program}`;
    }
  }
  return existsSync('/dev/loop-control') ? undefined : 'needs loop devices';
}

interface Outcome {
  readonly failed: boolean;
  readonly report: string;
}

/** Runs a suite of node:test in a mount namespace of its own. */
function runApart(...words: readonly string[]): Promise<Outcome> {
  const reporter = ['--test-reporter', 'tap'];
  return new Promise((resolve) => {
    execFile('unshare', ['--mount', '--propagation', 'private', node, ...reporter, ...words], { cwd: root }, (error, stdout, stderr) =>
      resolve({ failed: error !== null, report: `${stdout}${stderr}` }),
    );
  });
}

const reason = missing();

describe('the backend linux, on loop devices', () => {
  it.skipIf(reason !== undefined)(`keeps the contract of freezing on real file systems, one inside the other${reason === undefined ? '' : ` (${reason})`}`, async () => {
    const base = await mkdtemp(join(tmpdir(), 'concierge-loop-'));

    const { failed, report } = await runApart(join(import.meta.dirname, 'on-loop-devices.ts'), base);
    await rm(base, { recursive: true });

    expect(failed, report).toBe(false);
    expect(report).toMatch(/ok \d+ - a session ends itself at its deadline, and everything goes on$/mu);
  }, 120_000);
});
