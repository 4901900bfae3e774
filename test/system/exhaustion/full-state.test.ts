// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';

it.skipIf(process.getuid?.() !== 0)('a full disk takes a freeze’s marker whole or not at all, and what was begun of it holds no room (needs root)', () => {
  const directory = mkdtempSync(join(tmpdir(), 'concierge-full-state-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const script = `mount -t tmpfs -o size=32k,mode=755 none "${directory}" && "${process.execPath}" "${join(import.meta.dirname, 'fill-state.ts')}" "${directory}"`;

  const told = execFileSync('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', script], { encoding: 'utf8' });

  expect(JSON.parse(told)).toEqual({
    refused: `unable to create ${directory}/qga.state.isfrozen: No space left on device`, left: [], handle: '1000', written: 'written', read: 200,
  });
});
