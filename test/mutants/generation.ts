// SPDX-License-Identifier: Apache-2.0
import { AgentError, type Clock, type AddedHardware, type Generation, type GenerationHook, type GenerationNews, type Hotplug, type ReferenceClock, type ReferenceReading } from '../../kit/index.ts';
import { planted, type Mutant } from './mutant.ts';

type References = NonNullable<Clock['references']>;

const watching = 'a watch calls back for each time that it is said';
const again = 'a watch can be stopped and begun again while nothing is said';
const tells = 'a generation hook that may run tells how it went';
const names = 'every generation hook has a name of its own';
const clockNames = 'clocks that go on have names of their own';
const readings = 'a reading is in nanoseconds since 1970';

const hooks = (change: (hooks: readonly GenerationHook[]) => readonly (GenerationHook | object)[]) =>
  planted<Generation>('generation', (generation) => ({ hooks: async () => change(await generation.hooks()) }));

const looks = 'a look at what has been said tells nothing while nothing is said';
const glances = 'a clock that can be read without waiting says the same then';

const anotherClock = (clock: object) => planted<References>('clock.references', (references) => ({ list: async () => [...await references.list(), clock] }));

/** A clock beside those that are there, so that the fault is there on every machine. */
const reads = (reading: (now: bigint, monotonic: bigint) => Partial<Record<keyof ReferenceReading, unknown>>): Mutant['plant'] => (backend) => {
  const clock: object = { name: 'mutant', read: async () => reading(backend.clock.now(), backend.clock.monotonic()) };
  return anotherClock(clock)(backend);
};

/** One that is read rightly, and wrongly in the quick way. */
const glanceAt = (reading: (now: bigint, monotonic: bigint) => ReferenceReading): Mutant['plant'] => (backend) => {
  const { clock } = backend;
  const mutant: ReferenceClock = {
    name: 'mutant',
    read: async () => ({ time: clock.now(), monotonic: clock.monotonic(), within: 0n }),
    glance: () => reading(clock.now(), clock.monotonic()),
  };
  return anotherClock(mutant)(backend);
};

/** Faults of what hears of a restore, and of the clocks that go on meanwhile. */
export const generationMutants: readonly Mutant[] = [
  {
    fault: 'a second generation is not heard', group: 'generation', caughtBy: watching, fakeOnly: true,
    plant: planted<Generation>('generation', (generation) => ({ watch: (listener: () => void) => {
      let said = false;
      return generation.watch(() => {
        if (!said) listener();
        said = true;
      });
    } })),
  },
  {
    fault: 'a generation is heard twice', group: 'generation', caughtBy: watching, fakeOnly: true,
    plant: planted<Generation>('generation', (generation) => ({ watch: (listener: () => void) => generation.watch(() => {
      listener();
      listener();
    }) })),
  },
  {
    fault: 'a stopped watch goes on', group: 'generation', caughtBy: watching, fakeOnly: true,
    plant: planted<Generation>('generation', (generation) => ({ watch: async (listener: () => void) => {
      await generation.watch(listener);
      return { stop: () => undefined };
    } })),
  },
  {
    fault: 'the state at the beginning counts as news', group: 'generation', caughtBy: again,
    plant: planted<Generation>('generation', (generation) => ({ watch: (listener: () => void) => {
      listener();
      return generation.watch(listener);
    } })),
  },
  {
    fault: 'a watch cannot be stopped twice', group: 'generation', caughtBy: again,
    plant: planted<Generation>('generation', (generation) => ({ watch: async (listener: () => void) => {
      const watch = await generation.watch(listener);
      let stops = 0;
      return { stop: () => {
        stops += 1;
        if (stops > 1) throw AgentError.failed('stopped already');
        watch.stop();
      } };
    } })),
  },
  { fault: 'a generation hook has no name', group: 'generation', caughtBy: names, plant: hooks((list) => [...list, { name: '', run: async () => ({ ok: true, output: '', durationNs: 0n }) }]) },
  {
    fault: 'a generation hook is there twice', group: 'generation', caughtBy: names,
    plant: hooks((list) => [...list, { name: 'twin', run: async () => undefined }, { name: 'twin', run: async () => undefined }]),
  },
  {
    fault: 'a generation hook that fails says no word of it', group: 'generation', caughtBy: tells,
    plant: hooks((list) => [...list, { name: 'mute', run: async () => ({ ok: false, output: '', durationNs: 0n }) }]),
  },
  {
    fault: 'a generation hook tells its time in milliseconds', group: 'generation', caughtBy: tells,
    plant: hooks((list) => [...list, { name: 'brief', run: async () => ({ ok: true, output: '', durationNs: 12 }) }]),
  },
  {
    fault: 'the number of a processor is that of a socket', group: 'hotplug', caughtBy: 'each processor and memory block that is added is told of once', fakeOnly: true,
    plant: planted<Hotplug>('hotplug', (hotplug) => ({ watch: (listener: (added: AddedHardware) => void) =>
      hotplug.watch((added) => listener(added.kind === 'processor' ? { ...added, logicalId: 0n } : added)) })),
  },
  {
    fault: 'memory that is added is told of twice', group: 'hotplug', caughtBy: 'each processor and memory block that is added is told of once', fakeOnly: true,
    plant: planted<Hotplug>('hotplug', (hotplug) => ({ watch: (listener: (added: AddedHardware) => void) => hotplug.watch((added) => {
      listener(added);
      if (added.kind === 'memory') listener(added);
    }) })),
  },
  {
    fault: 'what is there at the beginning counts as added', group: 'hotplug', caughtBy: 'listening for what is added can be stopped and begun again',
    plant: planted<Hotplug>('hotplug', (hotplug) => ({ watch: (listener: (added: AddedHardware) => void) => {
      listener({ kind: 'processor', logicalId: 0n });
      return hotplug.watch(listener);
    } })),
  },
  { fault: 'a clock has no name', group: 'clock.references', caughtBy: clockNames, plant: anotherClock({ name: '', read: async () => undefined } satisfies Partial<Record<keyof ReferenceClock, unknown>>) },
  { fault: 'a clock is read in seconds', group: 'clock.references', caughtBy: readings, plant: reads((now, monotonic) => ({ time: now / 1_000_000_000n, monotonic, within: 0n })) },
  { fault: 'a reading was taken before it was asked for', group: 'clock.references', caughtBy: readings, plant: reads((time) => ({ time, monotonic: -1n, within: 0n })) },
  { fault: 'a reading does not say how exact it is', group: 'clock.references', caughtBy: readings, plant: reads((time, monotonic) => ({ time, monotonic })) },
  {
    fault: 'a look counts as news', group: 'generation', caughtBy: looks,
    plant: planted<Generation>('generation', (generation) => ({ watch: async (listener: (news: GenerationNews) => void) =>
      ({ ...await generation.watch(listener), look: () => listener('disruption') }) })),
  },
  {
    fault: 'a glance at a clock tells of another moment', group: 'clock.references', caughtBy: glances, plant: glanceAt((time, monotonic) => ({ time: time + 3_600_000_000_000n, monotonic, within: 0n })),
  },
  {
    fault: 'a glance at a clock is one of before', group: 'clock.references', caughtBy: glances, plant: glanceAt((time) => ({ time: time - 1n, monotonic: -1n, within: 0n })),
  },
  {
    fault: 'the clock is moved the other way', group: 'clock.references', caughtBy: 'the wall clock is moved by the difference', fakeOnly: true,
    plant: planted<References>('clock.references', (references) => ({ step: (by: bigint) => references.step(-by) })),
  },
];
