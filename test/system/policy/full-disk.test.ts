// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';

it.skipIf(process.getuid?.() !== 0)('a full disk costs the audit lines, which are counted, and no line that is half (needs root)', () => {
  const directory = mkdtempSync(join(tmpdir(), 'concierge-full-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const script = `mount -t tmpfs -o size=16k,mode=755 none "${directory}" && "${process.execPath}" "${join(import.meta.dirname, 'fill-audit.ts')}" "${directory}" && cat "${directory}/audit"`;

  const lines = execFileSync('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script], { encoding: 'utf8' }).trimEnd().split('\n');

  const read = lines.flatMap((line) => {
    try {
      return [JSON.parse(line) as { command?: string; lost?: number }];
    } catch {
      return [];
    }
  });
  // At most the line at which the disk became full is torn, and it stands alone.
  expect(lines.length - read.length).toBeLessThanOrEqual(1);
  const recorded = read.filter(({ command }) => command !== undefined).length;
  const lost = read.reduce((sum, one) => sum + (one.lost ?? 0), 0);
  expect([recorded + lost, lost > 0, read.findLast(({ command }) => command !== undefined)?.command]).toEqual([202, true, 'command 201']);
});
