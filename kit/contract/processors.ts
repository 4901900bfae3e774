// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

import type { Memory, Processors } from '../../core/ports/index.ts';
import { areDifferent, fails, hasNoUndefined, isCount } from './expect.ts';
import { contractGroup, type ContractCase } from './group.ts';

const needsHotplug = ({ safe }: { readonly safe: { readonly hotplug?: boolean } }): string | undefined =>
  safe.hotplug === true ? undefined : 'needs a machine whose processors and memory may be taken off line';

const onlineCases: readonly ContractCase<NonNullable<Processors['online']>>[] = [
  {
    name: 'every processor is there once, by number, and one at least is online',
    run: async (processors) => {
      const list = await processors.list();

      const numbers = list.map(({ logicalId }) => logicalId);
      areDifferent(numbers, 'numbers');
      assert.deepEqual(numbers, numbers.toSorted((one, other) => one - other));
      for (const number of numbers) isCount(number, 'logicalId');
      assert.ok(list.some(({ online }) => online));
    },
  },
];

type Online = NonNullable<Processors['online']>;
type Switching = NonNullable<Online['switching']>;
const numberThatIsNotThere = 999_999n;

const switchingCases: readonly ContractCase<Switching>[] = [
  {
    name: 'a processor that is not there cannot be switched',
    run: async (switching) => void (await fails(() => switching.set(numberThatIsNotThere, true))),
  },
  {
    name: 'a processor goes off line and comes back, and switching twice is no error',
    skip: needsHotplug,
    run: async (switching, { backend }) => {
      const list = async () => (await backend.processors?.online?.list()) ?? [];
      const one = (await list()).find(({ online, canOffline }) => online && canOffline) ?? assert.fail('no processor can be switched');
      const isOnline = async () => (await list()).find(({ logicalId }) => logicalId === one.logicalId)?.online;

      await switching.set(BigInt(one.logicalId), false);
      await switching.set(BigInt(one.logicalId), false);
      const between = await isOnline();
      await switching.set(BigInt(one.logicalId), true);

      assert.equal(between, false);
      assert.equal(await isOnline(), true);
    },
  },
  {
    name: 'a processor that has to stay says so',
    skip: needsHotplug,
    run: async (switching, { backend }) => {
      const fixed = (await backend.processors?.online?.list())?.find(({ canOffline }) => !canOffline);
      if (fixed === undefined) return;

      const error = await fails(() => switching.set(BigInt(fixed.logicalId), false));

      assert.equal(error.message, `logical processor #${fixed.logicalId} can't be offlined`);
    },
  },
];

const statisticsCases: readonly ContractCase<NonNullable<Processors['statistics']>>[] = [
  {
    name: 'there is an entry with exact counters for every processor that is online',
    run: async (statistics, { backend }) => {
      const list = await statistics.list();

      areDifferent(list.map(({ cpu }) => cpu), 'numbers');
      for (const { cpu, ...counters } of list) {
        isCount(cpu, 'cpu');
        hasNoUndefined(counters, `cpu${cpu}`);
        for (const [key, value] of Object.entries(counters)) assert.ok(typeof value === 'bigint' && value >= 0n, `cpu${cpu}: ${key}`);
      }
      const online = (await backend.processors?.online?.list())?.filter((one) => one.online).length;
      if (online !== undefined) assert.equal(list.length, online);
    },
  },
];

const loadCases: readonly ContractCase<NonNullable<Processors['load']>>[] = [
  {
    name: 'there are three averages, none below zero',
    run: async (load) => {
      const averages = await load.average();

      assert.equal(averages.length, 3);
      assert.ok(averages.every((average) => Number.isFinite(average) && average >= 0));
    },
  },
];

type Blocks = NonNullable<Memory['blocks']>;

const blockCases: readonly ContractCase<Blocks>[] = [
  {
    name: 'every memory block is there once, by index',
    run: async (blocks) => {
      const indexes = (await blocks.list()).map(({ physIndex }) => physIndex);

      areDifferent(indexes, 'indexes');
      assert.deepEqual(indexes, indexes.toSorted((one, other) => (one < other ? -1 : 1)));
      assert.ok(indexes.every((index) => index >= 0n));
    },
  },
  {
    name: 'the size of a block is a power of two',
    skip: ({ knows }) => (knows.memoryBlocks === true ? undefined : 'needs a kernel with memory blocks'),
    run: async (blocks) => {
      const size = await blocks.blockSize();

      assert.ok(size > 0n);
      assert.equal(size & (size - 1n), 0n);
      assert.notDeepEqual(await blocks.list(), []);
    },
  },
];

const blockSwitchingCases: readonly ContractCase<NonNullable<Blocks['switching']>>[] = [
  {
    name: 'a block that is not there is answered for, with errno 2',
    skip: ({ knows }) => (knows.memoryBlocks === true ? undefined : 'needs a kernel with memory blocks'),
    run: async (switching) => {
      assert.deepEqual(await switching.set(2n ** 40n, true), { response: 'not-found', errorCode: 2 });
    },
  },
  {
    name: 'a block goes off line and comes back, or the answer says why not',
    skip: needsHotplug,
    run: async (switching, { backend }) => {
      for (const { physIndex, canOffline, online } of (await backend.memory?.blocks?.list()) ?? []) {
        if (!canOffline || !online) continue;
        // oxlint-disable-next-line no-await-in-loop -- one block after the other, so that one at most is missing
        const down = await switching.set(physIndex, false);
        if (down.response === 'success') {
          // oxlint-disable-next-line no-await-in-loop -- as above
          assert.deepEqual(await switching.set(physIndex, true), { response: 'success' });
          return;
        }
        assert.equal(down.response, 'operation-failed');
        assert.ok((down.errorCode ?? 0) > 0);
      }
    },
  },
];

export const processorContract = contractGroup('processors.online', (backend) => backend.processors?.online, onlineCases);
export const switchingContract = contractGroup('processors.online.switching', (backend) => backend.processors?.online?.switching, switchingCases);
export const processorStatisticsContract = contractGroup('processors.statistics', (backend) => backend.processors?.statistics, statisticsCases);
export const loadContract = contractGroup('processors.load', (backend) => backend.processors?.load, loadCases);
export const memoryContract = contractGroup('memory.blocks', (backend) => backend.memory?.blocks, blockCases);
export const memorySwitchingContract = contractGroup('memory.blocks.switching', (backend) => backend.memory?.blocks?.switching, blockSwitchingCases);
