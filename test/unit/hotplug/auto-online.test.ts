// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { settled } from '../../../adapters/fake/clock.ts';
import { FakeLog } from '../../../adapters/fake/log.ts';
import { createFakeMachine } from '../../../adapters/fake/machine.ts';
import { AutoOnline, type AutoOnlineSettings } from '../../../core/hotplug/auto-online.ts';
import type { Backend } from '../../../core/ports/index.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';

async function guest(settings: Partial<AutoOnlineSettings>, change: (backend: Backend) => Backend = (same) => same) {
  const machine = createFakeMachine();
  const log = new FakeLog();
  const online = new AutoOnline(change(machine.backend), log, { processors: false, memory: false, movable: false, ...settings });
  await online.begin();
  const add = async (already = false): Promise<unknown> => {
    machine.hotplug.addProcessor(9, already);
    machine.hotplug.addMemory(77n, already);
    await settled();
    return [machine.processors.list.find(({ logicalId }) => logicalId === 9)?.online, machine.memory.list.find(({ physIndex }) => physIndex === 77n)?.online];
  };
  return { machine, log, online, add, said: () => log.lines.map(({ text }) => text) };
}

describe('a processor and memory that are added', () => {
  it.each([
    [{}, [false, false]],
    [{ processors: true }, [true, false]],
    [{ memory: true }, [false, true]],
    [{ processors: true, memory: true }, [true, true]],
  ])('come on line as is wanted: %j', async (settings, expected) => {
    expect(await (await guest(settings)).add()).toEqual(expected);
  });

  it('are in the log', async () => {
    const { add, said } = await guest({ processors: true, memory: true });

    await add();

    expect(said()).toEqual(['processor 9 was added and is on line', 'memory block 77 was added and is on line']);
  });

  it('are not touched where the distribution brings them on line itself', async () => {
    const { machine, add } = await guest({ processors: true, memory: true, movable: true });

    expect(await add(true)).toEqual([true, true]);

    expect([...machine.memory.zones]).toEqual([]);
  });

  it('go into the movable zone on request, and nowhere in particular without', async () => {
    const movable = await guest({ memory: true, movable: true });
    const plain = await guest({ memory: true });

    await movable.add();
    await plain.add();

    expect([[...movable.machine.memory.zones], [...plain.machine.memory.zones]]).toEqual([[[77n, 'movable']], []]);
  });

  it('that the system will not bring on line are in the log with the reason, and the next ones come all the same', async () => {
    const { machine, add, said } = await guest({ processors: true, memory: true });
    machine.faults.inject({ port: 'processors.online.switching', method: 'set', error: 'EINVAL' });

    expect(await add()).toEqual([false, true]);

    expect(said()[0]).toBe('processor 9 was added and cannot be brought on line: Invalid argument');
  });

  it.each([
    [{ response: 'operation-failed', errorCode: 16 }, 'Device or resource busy'],
    [{ response: 'not-found' }, 'not-found'],
  ] as const)('memory that is refused says why: %j', async (change, reason) => {
    const { add, said } = await guest({ memory: true }, (backend) => {
      const blocks = backend.memory?.blocks;
      if (blocks === undefined) throw new Error('the machine has no memory blocks');
      return { ...backend, memory: { blocks: { list: () => blocks.list(), blockSize: () => blocks.blockSize(), switching: { set: async () => change } } } };
    });

    await add();

    expect(said()).toEqual([`memory block 77 was added and cannot be brought on line: ${reason}`]);
  });

  it('stay as they are on a system that cannot switch them', async () => {
    const { add } = await guest({ processors: true, memory: true }, ({ clock, hotplug }) => ({ clock, ...(hotplug === undefined ? {} : { hotplug }) }));

    expect(await add()).toEqual([false, false]);
  });
});

describe('listening for what is added', () => {
  it('is not done where nothing is to be brought on line', async () => {
    expect((await guest({})).machine.hotplug.listeners).toBe(0);
  });

  it('ends with the agent, also while it was just beginning', async () => {
    const { machine, online } = await guest({ processors: true });
    expect(machine.hotplug.listeners).toBe(1);

    online.stop();
    await online.begin();

    expect(machine.hotplug.listeners).toBe(0);
  });

  it('that cannot be done is in the log, and is nothing on a system without it', async () => {
    const failing = await guest({ memory: true }, (backend) => ({ ...backend, hotplug: { watch: () => Promise.reject(posixError('EPERM')) } }));
    const without = await guest({ memory: true }, ({ clock }) => ({ clock }));
    without.online.stop();
    await without.online.begin();

    expect(failing.said()).toEqual(['added processors and memory cannot be heard of: Operation not permitted']);
    expect(without.said()).toEqual([]);
  });

  it('keeps the agent awake while something is brought on line', async () => {
    const { machine, online } = await guest({ processors: true });
    const held = machine.faults.inject({ port: 'processors.online.switching', method: 'set', hang: true });

    machine.hotplug.addProcessor(9);
    await settled();
    const during = online.isQuiet;
    held.release();
    await settled();

    expect([during, online.isQuiet]).toEqual([false, true]);
  });
});
