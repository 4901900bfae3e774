// SPDX-License-Identifier: Apache-2.0
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { linuxGeneration } from '../../../adapters/linux/announcements/generation.ts';
import type { GenerationHook, HookOutcome } from '../../../core/ports/index.ts';

const isRoot = process.getuid?.() === 0;
let scratch = '';
let directory = '';

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'concierge-generation-'));
  directory = join(scratch, 'generation.d');
  mkdirSync(directory, { mode: 0o755 });
});

afterEach(() => rmSync(scratch, { recursive: true }));

function install(body: string, where = directory): string {
  const path = join(where, '10-hook');
  writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  return path;
}

/** The one hook that was installed. */
async function hook(timeLimitMs = 20_000): Promise<GenerationHook> {
  const [first] = await linuxGeneration({ directory, timeLimitMs, uevents: { listen: () => () => undefined }, log: () => undefined, vmclock: () => undefined }).hooks();
  if (first === undefined) throw new Error('no hook was found');
  return first;
}

const run = async (found: GenerationHook): Promise<HookOutcome> => found.run({ from: 4, to: 5, clockOffBy: -7n });
const isAlive = (pid: string): boolean => {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z');
  } catch {
    return false;
  }
};

it('are told the generations and how far the clock was off', async () => {
  install('echo "$1 $CONCIERGE_OLD_GENERATION $CONCIERGE_NEW_GENERATION $CONCIERGE_CLOCK_OFF_BY_NS"');

  expect(await run(await hook())).toMatchObject({ ok: true, output: 'generation 4 5 -7\n' });
});

it('are killed at the time limit with all that they have started', async () => {
  install('sleep 600 & echo $!; wait');

  const { ok, error, output } = await run(await hook(2000));

  expect([ok, error]).toEqual([false, expect.stringContaining('killed after its time limit of 2 s')]);
  expect(output).toMatch(/^\d+\n$/);
  await expect.poll(() => isAlive(output.trim())).toBe(false);
});

it('may print without end, of which the beginning is kept', async () => {
  install('head -c 1000000 /dev/zero | tr "\\0" x');

  const { ok, output } = await run(await hook());

  expect([ok, output.length < 70_000, output.includes('[cut after 65536 bytes]')]).toEqual([true, true, true]);
});

it.skipIf(!isRoot)('do not run where they belong to somebody else (needs root)', async () => {
  chownSync(install('true'), 65534, 65534);

  expect((await hook()).refused).toContain('belongs to user 65534');
});

it.each([
  ['can be written by everybody', (other: string) => chmodSync(other, 0o777), 'can be written by everybody'],
  ['is gone', (other: string) => rmSync(other, { recursive: true }), 'No such file or directory'],
])('do not run where their directory has been replaced meanwhile by one that %s', async (_, spoil, error) => {
  const note = join(scratch, 'ran');
  install('true');
  const found = await hook();
  const other = join(scratch, 'other');
  mkdirSync(other);
  install(`echo >${note}`, other);

  renameSync(directory, join(scratch, 'first'));
  renameSync(other, directory);
  spoil(directory);

  expect(await run(found)).toMatchObject({ ok: false, error: expect.stringContaining(error) as string });
  expect(() => readFileSync(note)).toThrow('ENOENT');
});

it.skipIf(!isRoot)('do not run where their directory has become a link to one of somebody else (needs root)', async () => {
  install('true');
  const found = await hook();
  const other = join(scratch, 'other');
  mkdirSync(other);
  install('true', other);
  chownSync(other, 65534, 65534);

  renameSync(directory, join(scratch, 'first'));
  symlinkSync(other, directory);

  expect(await run(found)).toMatchObject({ ok: false, error: expect.stringContaining('belongs to user 65534') as string });
});
