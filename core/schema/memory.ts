// SPDX-License-Identifier: Apache-2.0
import { command } from './command.ts';
import { bool, enumOf, int, listOf, optional, required, struct, uint64 } from './types.ts';

export const guestMemoryBlock = struct(
  'GuestMemoryBlock',
  {
    'phys-index': required(uint64, "The guest's own number of the block."),
    online: required(bool, 'Whether it is in use.'),
    'can-offline': optional(bool, 'Whether it can be taken off line. Always there in answers, passed over in arguments.'),
  },
  ['online', 'can-offline', 'phys-index'],
);

export const guestGetMemoryBlocks = command({
  name: 'guest-get-memory-blocks',
  since: '2.3',
  group: 'observe',
  summary: 'Lists memory blocks.',
  result: listOf(guestMemoryBlock),
  resultDoc: 'By number; empty where the kernel has no such notion.',
  needs: 'memory.blocks',
});

export const guestMemoryBlockResponse = struct(
  'GuestMemoryBlockResponse',
  {
    'phys-index': required(uint64, 'Number of the block, as given.'),
    response: required(
      enumOf('GuestMemoryBlockResponseType', ['success', 'not-found', 'operation-not-supported', 'operation-failed']),
      'What came of it.',
    ),
    'error-code': optional(int, 'errno of the failure.'),
  },
  ['response', 'error-code', 'phys-index'],
);

export const guestSetMemoryBlocks = command({
  name: 'guest-set-memory-blocks',
  since: '2.3',
  group: 'hardware',
  summary: 'Brings memory blocks up or down, each on its own: one that fails does not stop the others.',
  arguments: { 'mem-blks': required(listOf(guestMemoryBlock), 'What is wanted; blocks that are not named stay as they are.') },
  result: listOf(guestMemoryBlockResponse),
  resultDoc: 'One entry for each block given, in the same order.',
  needs: 'memory.blocks.switching',
});

export const guestMemoryBlockInfo = struct('GuestMemoryBlockInfo', {
  size: required(uint64, 'Size of one block in bytes.'),
});

export const guestGetMemoryBlockInfo = command({
  name: 'guest-get-memory-block-info',
  since: '2.3',
  group: 'observe',
  summary: 'Tells how large a memory block is.',
  result: guestMemoryBlockInfo,
  needs: 'memory.blocks',
});
