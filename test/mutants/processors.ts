// SPDX-License-Identifier: Apache-2.0
import { posixError, type LogicalProcessor, type Memory, type MemoryBlock, type MemoryBlockChange, type Processors } from '../../kit/index.ts';
import { listing, planted, type Mutant } from './mutant.ts';

type Online = NonNullable<Processors['online']>;
type Switching = NonNullable<Online['switching']>;
type Blocks = NonNullable<Memory['blocks']>;
type BlockSwitching = NonNullable<Blocks['switching']>;

const online = 'processors.online';
const switching = 'processors.online.switching';
const statistics = 'processors.statistics';
const load = 'processors.load';
const blocks = 'memory.blocks';
const blockSwitching = 'memory.blocks.switching';

const once = 'every processor is there once, by number, and one at least is online';
const comesBack = 'a processor goes off line and comes back, and switching twice is no error';

const switchesBlocks = (set: (original: BlockSwitching, index: bigint, up: boolean) => Promise<MemoryBlockChange>) =>
  planted<BlockSwitching>(blockSwitching, (original) => ({ set: (index: bigint, up: boolean) => set(original, index, up) }));

/** Faults of processors and memory. */
export const processorMutants: readonly Mutant[] = [
  {
    fault: 'processors come in the order of a directory', group: online, caughtBy: once,
    plant: listing<LogicalProcessor>(online, (list) => [{ logicalId: 10_000, online: true, canOffline: true }, ...list]),
  },
  {
    fault: 'a processor is there once for each thread', group: online, caughtBy: once,
    plant: listing<LogicalProcessor>(online, (list) => list.flatMap((one) => [one, one])),
  },
  {
    fault: 'every processor is off line', group: online, caughtBy: once,
    plant: listing<LogicalProcessor>(online, (list) => list.map((one) => ({ ...one, online: false }))),
  },
  {
    fault: 'a processor that is not there is switched all the same', group: switching, caughtBy: 'a processor that is not there cannot be switched',
    plant: planted<Switching>(switching, () => ({ set: async () => undefined })),
  },
  {
    fault: 'switching a processor does nothing', group: switching, caughtBy: comesBack, fakeOnly: true,
    plant: planted<Switching>(switching, () => ({ set: async () => undefined })),
  },
  {
    fault: 'a processor that is off line already cannot be switched off', group: switching, caughtBy: comesBack, fakeOnly: true,
    plant: planted<Switching>(switching, (original) => {
      const down = new Set<bigint>();
      return { set: async (id: bigint, up: boolean) => {
        if (!up && down.has(id)) throw posixError('EINVAL');
        await original.set(id, up);
        if (up) down.delete(id);
        else down.add(id);
      } };
    }),
  },
  {
    fault: 'a processor that has to stay is told as busy', group: switching, caughtBy: 'a processor that has to stay says so', fakeOnly: true,
    plant: planted<Switching>(switching, (original) => ({ set: (id: bigint, up: boolean) => original.set(id, up).catch(() => Promise.reject(posixError('EBUSY'))) })),
  },
  {
    fault: 'the sum of all processors is an entry as well', group: statistics, caughtBy: 'there is an entry with exact counters for every processor that is online',
    plant: listing(statistics, (list) => [{ cpu: 10_000, user: 1n, nice: 0n, system: 0n, idle: 0n }, ...list]),
  },
  {
    fault: 'counters of processors are numbers', group: statistics, caughtBy: 'there is an entry with exact counters for every processor that is online',
    plant: listing<object>(statistics, (list) => list.map((one) => ({ ...one, user: 1 }))),
  },
  {
    fault: 'the load has one average', group: load, caughtBy: 'there are three averages, none below zero',
    plant: planted<NonNullable<Processors['load']>>(load, (original) => ({ average: async () => (await original.average()).slice(0, 1) })),
  },
  {
    fault: 'an unknown load is −1', group: load, caughtBy: 'there are three averages, none below zero',
    plant: planted<NonNullable<Processors['load']>>(load, () => ({ average: async () => [-1, -1, -1] })),
  },
  {
    fault: 'memory blocks come in the order of a directory', group: blocks, caughtBy: 'every memory block is there once, by index',
    plant: listing<MemoryBlock>(blocks, (list) => [{ physIndex: 2n ** 40n, online: true, canOffline: true }, { physIndex: 2n ** 39n, online: true, canOffline: true }, ...list]),
  },
  {
    fault: 'an index of a memory block is signed', group: blocks, caughtBy: 'every memory block is there once, by index',
    plant: listing<MemoryBlock>(blocks, (list) => [{ physIndex: -1n, online: true, canOffline: true }, ...list]),
  },
  {
    fault: 'the size of a memory block is that of its contents', group: blocks, caughtBy: 'the size of a block is a power of two', fakeOnly: true,
    plant: planted<Blocks>(blocks, (original) => ({ blockSize: async () => (await original.blockSize()) - 4096n })),
  },
  {
    fault: 'a memory block that is not there is an error of the call', group: blockSwitching, caughtBy: 'a block that is not there is answered for, with errno 2', fakeOnly: true,
    plant: switchesBlocks(async (original, index, up) => {
      const change = await original.set(index, up);
      if (change.response === 'not-found') throw posixError('ENOENT');
      return change;
    }),
  },
  {
    fault: 'errno of a memory block is negative', group: blockSwitching, caughtBy: 'a block that is not there is answered for, with errno 2', fakeOnly: true,
    plant: switchesBlocks(async (original, index, up) => {
      const { response, errorCode } = await original.set(index, up);
      return errorCode === undefined ? { response } : { response, errorCode: -errorCode };
    }),
  },
  {
    fault: 'a memory block that stays where it is has no reason', group: blockSwitching, caughtBy: 'a block goes off line and comes back, or the answer says why not', fakeOnly: true,
    plant: switchesBlocks(async () => ({ response: 'operation-failed' })),
  },
];
