// SPDX-License-Identifier: Apache-2.0
/** The scenarios of the examples, and the backup script on each. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

// @ts-expect-error -- an example in plain JavaScript, as its readers write it
import { backup as exampleBackup } from '../../../examples/backup.mjs';
import { GuestClient } from '../../../client/index.ts';
import { createFakeGuest, parseScenario, type FakeGuest } from '../../../kit/fake/index.ts';
import { commandNames } from '../../../core/schema/index.ts';

const backup = exampleBackup as (connect: () => Promise<GuestClient>, copy: () => Promise<unknown>, limitMs?: number) => Promise<string>;
const directory = join(import.meta.dirname, '../../../examples/scenarios');
const names = readdirSync(directory).filter((name) => name.endsWith('.yaml'));
const textOf = (name: string): string => readFileSync(join(directory, `${name}.yaml`), 'utf8');

describe('every scenario', () => {
  it.each(names)('%s is sound and says what it is about', async (name) => {
    const scenario = parseScenario(readFileSync(join(directory, name), 'utf8'), { name, commands: commandNames });
    const guest = await createFakeGuest(scenario);

    expect(scenario.description).toMatch(/\w/);
    expect(guest.isAlive).toBe(true);
  });

  it('is in the list', () => {
    const page = readFileSync(join(directory, 'README.md'), 'utf8');

    expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});

interface Attempt {
  readonly guest: FakeGuest;
  readonly copies: (readonly string[])[];
  readonly result: Promise<string>;
}

/** A backup whose copy takes ten seconds of the guest's time. The host's own limit is real, and short. */
async function attempt(name: string, limitMs = 1000): Promise<Attempt> {
  const guest = await createFakeGuest(textOf(name));
  const copies: (readonly string[])[] = [];
  const result = backup(async () => new GuestClient(guest.connect(), { timeoutMs: limitMs }), async () => {
    copies.push(guest.machine.fileSystems.frozen);
    await guest.advance(10_000);
  }, limitMs);
  result.catch(() => undefined);
  return { guest, copies, result };
}

const everything = ['/', '/boot', '/data', '/mnt/backup'];

describe('the backup script', () => {
  it('copies a slow guest when all of it is frozen', async () => {
    const { guest, copies, result } = await attempt('slow-freeze', 5000);
    await guest.advance(60_000);

    await expect(result).resolves.toBe('copied with 4 file systems frozen');
    expect(copies).toEqual([everything]);
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });

  it.each(['failed-freeze', 'vetoed-freeze'])('copies nothing on %s, and leaves nothing frozen', async (name) => {
    const { guest, copies, result } = await attempt(name);

    await expect(result).rejects.toMatchObject({ kind: 'refused' });
    expect(copies).toEqual([]);
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });

  it('copies nothing when the freeze hangs; the agent undoes it once the disk answers', async () => {
    const { guest, copies, result } = await attempt('stuck-freeze', 20);
    await expect(result).rejects.toMatchObject({ kind: 'left-frozen', message: expect.stringContaining('may still be frozen') });

    await guest.advance(310_000);

    expect(copies).toEqual([]);
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });

  it('thaws after a freeze whose answer was lost', async () => {
    const { guest, copies, result } = await attempt('lost-freeze-answer', 30);

    await expect(result).rejects.toMatchObject({ kind: 'timeout' });
    expect(copies).toEqual([]);
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });

  it('does not call a copy consistent when the hold was lost', async () => {
    const { guest, copies, result } = await attempt('lost-hold');

    await expect(result).rejects.toMatchObject({ kind: 'hold-lost' });
    expect(copies).toEqual([everything]);
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });

  it('thaws through the agent that comes after one that died', async () => {
    const { guest, copies, result } = await attempt('dead-agent');

    await expect(result).rejects.toMatchObject({ kind: 'closed' });
    expect(copies).toEqual([everything]);
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });

  it('says that the guest may be frozen when the agent never comes back, and the deadline thaws it', async () => {
    const { guest, result } = await attempt('gone-agent', 30);

    await expect(result).rejects.toMatchObject({ kind: 'left-frozen' });
    expect(guest.machine.fileSystems.frozen).toEqual(everything);
    await guest.advance(600_000);
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });

  it('reports a thaw that failed', async () => {
    const { guest, result } = await attempt('thaw-fails');

    await expect(result).rejects.toMatchObject({ kind: 'left-frozen' });
    expect(guest.machine.fileSystems.frozen).toEqual(['/boot']);
  });

  it.each(['full-disk', 'clock-jump', 'dropped-connection', 'garbled-answer', 'late-answer'])('is not disturbed by %s', async (name) => {
    const { guest, result } = await attempt(name);

    await expect(result).resolves.toBe('copied with 4 file systems frozen');
    expect(guest.machine.fileSystems.frozen).toEqual([]);
  });
});
