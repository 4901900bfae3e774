// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import { kernel32 } from '../../adapters/windows/bindings/kernel32.ts';
import { waitFor } from '../../adapters/windows/wait.ts';
import { after, describe, it } from './runner.ts';

const alive = setInterval(() => {}, 0x7fff_ffff);
after(() => clearInterval(alive));

/** 100 000 by hand: under Wine each takes nearly a millisecond. */
const count = Number(process.env['CONCIERGE_WAITS'] ?? 10_000);

const event = (): bigint => kernel32.CreateEventW(null, 1, 0, null);

describe('waits for objects of the system', () => {
  it(`${count} that are cancelled while they fire wake nobody else`, async () => {
    // In turn: some waits that fire and are cancelled at once, and as many that begin right after them and are never signalled.
    const never = event();
    const woken: boolean[] = [];
    const width = 50;
    const fired = Array.from({ length: width }, event);

    for (let round = 0; round < count / width; round += 1) {
      for (const object of fired) kernel32.ResetEvent(object);
      const cancelled = fired.map((object) => waitFor(object));
      for (const object of fired) kernel32.SetEvent(object);
      for (const wait of cancelled) wait.cancel();
      const strangers = fired.map(() => waitFor(never));
      await Promise.all(cancelled.map(({ signalled }) => signalled));
      for (const wait of strangers) wait.cancel();
      woken.push(...(await Promise.all(strangers.map(({ signalled }) => signalled))).filter(Boolean));
    }

    assert.equal(woken.length, 0);
    for (const object of [never, ...fired]) kernel32.CloseHandle(object);
  });

  it('one that was signalled, one that took too long and one that was cancelled are told apart', async () => {
    const [set, unset] = [event(), event()];
    kernel32.SetEvent(set);

    const cancelled = waitFor(unset);
    cancelled.cancel();
    cancelled.cancel();

    assert.deepEqual(await Promise.all([waitFor(set).signalled, waitFor(unset, 1).signalled, cancelled.signalled]), [true, false, false]);
    for (const object of [set, unset]) kernel32.CloseHandle(object);
  });
});
