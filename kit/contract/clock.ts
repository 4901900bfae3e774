// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import type { Clock } from '../../core/ports/index.ts';
import { fails, isCounter } from './expect.ts';
import { contractGroup, timePasses, type ContractCase } from './group.ts';

const year2020 = 1_577_836_800_000_000_000n;

const cases: readonly ContractCase<Clock>[] = [
  {
    name: 'the wall clock is in nanoseconds since 1970',
    run: async (clock) => {
      isCounter(clock.now(), 'now');
      assert.ok(clock.now() > year2020);
    },
  },
  {
    name: 'monotonic time never goes back',
    run: async (clock) => {
      const readings = Array.from({ length: 1000 }, () => clock.monotonic());

      assert.ok(readings.every((reading, index) => index === 0 || reading >= (readings[index - 1] ?? 0n)));
    },
  },
  {
    name: 'both clocks go on',
    run: async (clock, subject) => {
      const before = { now: clock.now(), monotonic: clock.monotonic() };
      const fired = new Promise<void>((resolve) => void clock.after(20, resolve));

      await timePasses(subject, 100);
      await fired;

      assert.ok(clock.now() > before.now, 'the wall clock stands still');
      assert.ok(clock.monotonic() > before.monotonic, 'the monotonic clock stands still');
    },
  },
  {
    name: 'monotonic time is in nanoseconds, as the wall clock is',
    run: async (clock, subject) => {
      const before = { now: clock.now(), monotonic: clock.monotonic() };
      const fired = new Promise<void>((resolve) => void clock.after(20, resolve));

      await timePasses(subject, 100);
      await fired;
      const passed = { now: clock.now() - before.now, monotonic: clock.monotonic() - before.monotonic };

      // A thousandth or a thousandfold is another unit; anything between may be a clock that is being set meanwhile.
      assert.ok(passed.monotonic > passed.now / 100n && passed.monotonic < passed.now * 100n, `${passed.monotonic} while the wall clock went on by ${passed.now}`);
    },
  },
  {
    name: 'a timer calls back once, not before its time',
    run: async (clock, subject) => {
      const start = clock.monotonic();
      let calls = 0;
      const fired = new Promise<bigint>((resolve) => {
        clock.after(20, () => {
          calls += 1;
          resolve(clock.monotonic());
        });
      });

      await timePasses(subject, 100);
      const at = await fired;

      // Timers of the event loop count in whole milliseconds and may be up to one early against the monotonic clock.
      assert.ok(at - start >= 19_000_000n, `${at - start} ns`);
      assert.equal(calls, 1);
    },
  },
  {
    name: 'timers fire in the order in which they are due, and a cancelled one does not',
    run: async (clock, subject) => {
      const fired: string[] = [];
      const late = new Promise<void>((resolve) => {
        clock.after(60, () => {
          fired.push('late');
          resolve();
        });
      });
      clock.after(30, () => fired.push('cancelled')).cancel();
      clock.after(10, () => fired.push('early'));

      await timePasses(subject, 100);
      await late;

      assert.deepEqual(fired, ['early', 'late']);
    },
  },
  {
    name: 'a timer may be cancelled twice, and after it has fired',
    run: async (clock, subject) => {
      let calls = 0;
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = clock.after(5, () => {
        calls += 1;
        resolve();
      });

      await timePasses(subject, 10);
      await promise;
      timer.cancel();
      timer.cancel();

      assert.equal(calls, 1);
    },
  },
];

const settingCases: readonly ContractCase<NonNullable<Clock['setting']>>[] = [
  {
    name: 'the clock goes on from the time that was set',
    skip: ({ safe }) => (safe.setTime === true ? undefined : 'needs a machine whose clock may be set'),
    run: async (setting, { backend }) => {
      const wanted = 1_900_000_000_000_000_000n;

      await setting.set(wanted);

      assert.ok(backend.clock.now() >= wanted && backend.clock.now() < wanted + 60_000_000_000n);
    },
  },
  {
    name: 'a time before 1970 is refused and changes nothing',
    skip: ({ safe }) => (safe.setTime === true ? undefined : 'needs a machine whose clock may be set'),
    run: async (setting, { backend }) => {
      await fails(() => setting.set(-(10n ** 18n)));

      assert.ok(backend.clock.now() > year2020);
    },
  },
];

export const clockContract = contractGroup('clock', (backend) => backend.clock, cases);
export const clockSettingContract = contractGroup('clock.setting', (backend) => backend.clock.setting, settingCases);
