// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { FakeLog, FakeStateStore } from '../../../kit/fake/index.ts';

describe('the state store in memory', () => {
  it('hands no number out twice', async () => {
    const store = new FakeStateStore();

    expect([await store.reserveHandles(64), await store.reserveHandles(1), await store.reserveHandles(1)]).toEqual([1000n, 1064n, 1065n]);
  });

  it('keeps the marker of a freeze for the next agent, and not for the next boot', async () => {
    const store = new FakeStateStore();
    const marker = { bootId: store.currentBoot, targets: [], deadlineAt: 0n, recoveryData: {} };
    await store.writeFreezeMarker(marker);

    const sameBoot = await store.readFreezeMarker();
    store.currentBoot = 'another';

    expect(sameBoot).toEqual(marker);
    expect(await store.readFreezeMarker()).toBeUndefined();
  });
});

describe('the log in memory', () => {
  it('keeps lines with their level, and builds none that nobody wants', () => {
    const log = new FakeLog('info');
    let built = 0;

    log.debug(() => {
      built += 1;
      return 'details';
    });
    log.warning(() => 'careful');
    log.account('guest-exec called');

    expect(built).toBe(0);
    expect(log.lines.map(({ level, text }) => [level, text])).toEqual([['warning', 'careful'], ['account', 'guest-exec called']]);
  });

  it('marks what was said while nothing may reach a disk', async () => {
    const log = new FakeLog();

    await log.hold();
    log.info('frozen');
    log.release();
    log.info('thawed');

    expect(log.lines.map(({ text, held }) => [text, held])).toEqual([['frozen', true], ['thawed', false]]);
  });
});
