// SPDX-License-Identifier: Apache-2.0
import { withContext } from '../errors/agent-error.ts';
import { guestGetMemoryBlockInfo, guestGetMemoryBlocks, guestSetMemoryBlocks } from '../schema/memory.ts';
import { available, handler, told } from './command.ts';
import { Switched } from './switched.ts';

export const getMemoryBlocks = handler(guestGetMemoryBlocks, async ({ backend }) => {
  try {
    const blocks = await available(backend.memory?.blocks, 'memory.blocks').list();
    return blocks.map(({ physIndex, online, canOffline }) => ({ 'phys-index': physIndex, online, 'can-offline': canOffline }));
  } catch (error) {
    throw withContext('failed to list memory blocks', error);
  }
});

/** One after the other, because taking memory off line moves its contents into what is left. */
export const setMemoryBlocks = handler(guestSetMemoryBlocks, async ({ backend, log }, { 'mem-blks': wanted }) => {
  const switching = available(backend.memory?.blocks?.switching, 'memory.blocks.switching');
  const outcomes = [];
  const switched = new Switched();
  for (const { 'phys-index': index, online } of wanted) {
    const { response, errorCode } = await switching.set(index, online);
    switched.add(index, online, `: ${response}`);
    outcomes.push({ 'phys-index': index, response, ...(errorCode !== undefined && { 'error-code': errorCode }) });
  }
  log.account(() => `guest-set-memory-blocks: blocks ${switched.text()}`);
  return outcomes;
});

export const getMemoryBlockInfo = handler(guestGetMemoryBlockInfo, ({ backend }) => told(
  'failed to read the size of memory blocks',
  () => available(backend.memory?.blocks, 'memory.blocks').blockSize(),
  (size) => ({ size }),
));
