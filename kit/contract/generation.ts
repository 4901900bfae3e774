// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import type { AddedHardware, Clock, Generation, Hotplug } from '../../core/ports/index.ts';
import { areDifferent, isCounter, isText } from './expect.ts';
import { contractGroup, timePasses, type ContractCase } from './group.ts';

const cases: readonly ContractCase<Generation>[] = [
  {
    name: 'a look at what has been said tells nothing while nothing is said',
    run: async (generation) => {
      let heard = 0;
      const watch = await generation.watch(() => {
        heard += 1;
      });

      watch.look?.();
      watch.look?.();
      watch.stop();
      watch.look?.();

      assert.equal(heard, 0);
    },
  },
  {
    name: 'a watch calls back for each time that it is said, and not any more once it is stopped',
    skip: ({ announce }) => (announce === undefined ? 'needs a hypervisor that can be made to say it' : undefined),
    run: async (generation, { announce }) => {
      const heard: string[] = [];
      const first = await generation.watch(() => heard.push('first'));
      const second = await generation.watch(() => heard.push('second'));

      await announce?.();
      await announce?.();
      first.stop();
      first.stop();
      await announce?.();
      second.stop();
      await announce?.();

      assert.deepEqual(heard.toSorted(), ['first', 'first', 'second', 'second', 'second']);
    },
  },
  {
    name: 'a watch can be stopped and begun again while nothing is said',
    run: async (generation) => {
      for (const round of [1, 2, 3]) {
        let heard = 0;
        // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
        const watch = await generation.watch(() => {
          heard += 1;
        });
        watch.stop();
        watch.stop();
        assert.equal(heard, 0, `round ${round}`);
      }
    },
  },
  {
    name: 'every generation hook has a name of its own',
    run: async (generation) => {
      const names = (await generation.hooks()).map(({ name }) => name);

      for (const name of names) isText(name, 'name');
      areDifferent(names, 'names');
    },
  },
  {
    name: 'a generation hook that may run tells how it went',
    skip: ({ safe }) => (safe.hooks === true ? undefined : 'needs hooks that may run here'),
    run: async (generation, subject) => {
      const mayRun = (await generation.hooks()).filter(({ refused }) => refused === undefined);
      assert.notEqual(mayRun.length, 0, 'there is none that may run');
      for (const hook of mayRun) {
        const running = hook.run({ from: 1, to: 2, clockOffBy: -5n });
        // oxlint-disable-next-line no-await-in-loop -- one after the other, as the agent does
        await timePasses(subject, 60_000);
        // oxlint-disable-next-line no-await-in-loop -- as above
        const { ok, error, output, durationNs } = await running;
        assert.equal(typeof output, 'string');
        isCounter(durationNs, 'durationNs');
        if (ok) assert.equal(error, undefined);
        else isText(error, 'error');
      }
    },
  },
];

const referenceCases: readonly ContractCase<NonNullable<Clock['references']>>[] = [
  {
    name: 'clocks that go on have names of their own',
    run: async (references) => {
      const names = (await references.list()).map(({ name }) => name);

      for (const name of names) isText(name, 'name');
      areDifferent(names, 'names');
    },
  },
  {
    name: 'a reading is in nanoseconds since 1970, with the monotonic time of that moment',
    run: async (references, { backend }) => {
      for (const clock of await references.list()) {
        const before = backend.clock.monotonic();
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        const { time, monotonic, within } = await clock.read('at once');

        assert.ok(time > 1_000_000_000_000_000_000n && time < 5_000_000_000_000_000_000n, `${clock.name}: ${time}`);
        isCounter(within, 'within');
        assert.ok(monotonic >= before && monotonic <= backend.clock.monotonic(), `${clock.name}: read at ${monotonic}`);
      }
    },
  },
  {
    name: 'a clock that can be read without waiting says the same then',
    run: async (references, { backend }) => {
      for (const clock of await references.list()) {
        if (clock.glance === undefined) continue;
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        const slow = await clock.read('at once');
        const before = backend.clock.monotonic();
        const { time, monotonic, within } = clock.glance();

        isCounter(within, 'within');
        assert.ok(monotonic >= before && monotonic <= backend.clock.monotonic(), `${clock.name}: read at ${monotonic}`);
        const apart = (time - monotonic) - (slow.time - slow.monotonic);
        const most = 10_000_000n + within + slow.within;
        assert.ok(apart < most && apart > -most, `${clock.name}: ${apart} ns apart`);
      }
    },
  },
  {
    name: 'the wall clock is moved by the difference, and the monotonic one is not',
    skip: ({ safe }) => (safe.setTime === true ? undefined : 'needs a machine whose clock may be set'),
    run: async (references, { backend: { clock } }) => {
      const before = clock.now() - clock.monotonic();

      await references.step(-3_600_000_000_000n);

      const moved = clock.now() - clock.monotonic() - before;
      assert.ok(moved <= -3_599_000_000_000n && moved >= -3_601_000_000_000n, `${moved}`);
    },
  },
];

const hotplugCases: readonly ContractCase<Hotplug>[] = [
  {
    name: 'each processor and memory block that is added is told of once, by its number, while somebody listens',
    skip: ({ plug }) => (plug === undefined ? 'needs a hypervisor that can be made to add some' : undefined),
    run: async (hotplug, { plug }) => {
      const heard: AddedHardware[] = [];
      const watch = await hotplug.watch((added) => heard.push(added));

      const added = await plug?.();
      watch.stop();
      await plug?.();

      assert.deepEqual(heard, added);
    },
  },
  {
    name: 'listening for what is added can be stopped and begun again while nothing is',
    run: async (hotplug) => {
      for (const round of [1, 2, 3]) {
        let heard = 0;
        // oxlint-disable-next-line no-await-in-loop -- one after the other is the point
        const watch = await hotplug.watch(() => {
          heard += 1;
        });
        watch.stop();
        watch.stop();
        assert.equal(heard, 0, `round ${round}`);
      }
    },
  },
];

export const hotplugContract = contractGroup('hotplug', (backend) => backend.hotplug, hotplugCases);
export const generationContract = contractGroup('generation', (backend) => backend.generation, cases);
export const clockReferenceContract = contractGroup('clock.references', (backend) => backend.clock.references, referenceCases);
