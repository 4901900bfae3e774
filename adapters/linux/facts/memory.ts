// SPDX-License-Identifier: Apache-2.0
import { readFileSync, statSync } from 'node:fs';

import { AgentError, osCode } from '../../../core/errors/agent-error.ts';
import { posixErrorOf, posixNumber } from '../../../core/errors/posix-errno.ts';
import type { Memory, MemoryBlock, MemoryBlockChange } from '../../../core/ports/index.ts';
import { attributeOrErrno, exists, failedBecause, fileError, namesIn } from '../kernel-files.ts';
import type { WriteAttribute } from './processors.ts';
import { textFromBytes } from '../text.ts';
import { turns } from '../turns.ts';

const directory = '/sys/devices/system/memory/';

/** A terabyte has 8192 blocks of 128 MiB: after as many of them others get their turn. */
const blocksPerTurn = 256;

/** guest-get-memory-blocks and its kin. `root` is put before every path: '' for the running system. */
export function linuxMemory(root: string, writeAttribute: WriteAttribute): Memory {
  const othersTurn = turns(blocksPerTurn);
  return {
    blocks: {
      list: () => blocks(root),
      blockSize: async () => blockSize(root),
      switching: {
        async set(physIndex, online, zone) {
          await othersTurn();
          return switchBlock(root, physIndex, online, zone === 'movable' ? 'online_movable' : 'online', writeAttribute);
        },
      },
    },
  };
}

async function blocks(root: string): Promise<MemoryBlock[]> {
  let names: string[];
  try {
    names = namesIn(`${root}${directory}`);
  } catch (error) {
    if (osCode(error) === 'ENOENT') return [];
    throw failedBecause(`Can't open directory"${directory}"`, error);
  }
  const indexes = names
    .flatMap((name) => /^memory(\d+)$/.exec(name)?.[1] ?? [])
    .map(BigInt)
    .sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  if (indexes.length === 0) throw AgentError.failed('guest reported zero memory blocks!');
  const list: MemoryBlock[] = [];
  const othersTurn = turns(blocksPerTurn);
  for (const index of indexes) {
    await othersTurn();
    const found = block(root, index);
    if (found !== undefined) list.push(found);
  }
  return list;
}

/** `undefined` for a block that was unplugged since the directory was listed. */
function block(root: string, physIndex: bigint): MemoryBlock | undefined {
  const place = `${directory}memory${physIndex}`;
  const state = attributeOf(root, place, 'state');
  if (state === undefined) {
    const isThere = statSync(`${root}${place}`, { throwIfNoEntry: false }) !== undefined;
    return isThere ? { physIndex, online: true, canOffline: false } : undefined;
  }
  const removable = attributeOf(root, place, 'removable');
  return { physIndex, online: state.startsWith('online'), canOffline: removable !== undefined && !removable.startsWith('0') };
}

/** `undefined` where the kernel has no such attribute. Texts are the reference's. */
function attributeOf(root: string, place: string, name: string): string | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(`${root}${place}/${name}`);
  } catch (error) {
    const reason = fileError(error);
    if (osCode(reason) === 'ENOENT') return undefined;
    throw failedBecause(`${reason.os?.syscall === 'read' ? 'pread' : 'open'} sysfs file "${name}"`, reason);
  }
  if (bytes.length === 0) throw AgentError.failed(`pread sysfs file "${name}": unexpected EOF`);
  return textFromBytes(bytes);
}

function blockSize(root: string): bigint {
  try {
    namesIn(`${root}${directory}`);
  } catch (error) {
    throw failedBecause(`open("${directory}")`, error);
  }
  const name = 'block_size_bytes';
  const text = attributeOf(root, directory.slice(0, -1), name)?.trim();
  if (text === undefined) throw AgentError.failed(`open sysfs file "${name}": No such file or directory`);
  if (!/^[0-9a-f]{1,16}$/i.test(text)) throw AgentError.failed(`sysfs file "${name}" holds no number`);
  return BigInt(`0x${text}`);
}

/**
 * The reference answers `success` together with an errno where the directory of all blocks can't be opened; this says
 * `operation-failed`, which it is. A block without `state` is always up: wanting it up is a success.
 *
 * The directory of all blocks is not listed: a machine has thousands of them, and a host switches as many in one call.
 */
async function switchBlock(
  root: string,
  physIndex: bigint,
  online: boolean,
  up: 'online' | 'online_movable',
  writeAttribute: WriteAttribute,
): Promise<MemoryBlockChange> {
  const file = `${root}${directory}memory${physIndex}/state`;
  const state = attributeOrErrno(file);
  if (state === -posixNumber('ENOENT')) return withoutState(root, physIndex, online);
  if (typeof state === 'number') return operationFailed(posixErrorOf(-state));
  if (state === '') return operationFailed(undefined);
  if (state.startsWith('online') === online) return { response: 'success' };
  try {
    await writeAttribute(file, online ? up : 'offline');
    return { response: 'success' };
  } catch (error) {
    return operationFailed(error);
  }
}

function withoutState(root: string, physIndex: bigint, online: boolean): MemoryBlockChange {
  const errorCode = posixNumber('ENOENT');
  if (!exists(`${root}${directory}`)) return { response: 'operation-not-supported', errorCode };
  if (!exists(`${root}${directory}memory${physIndex}`)) return { response: 'not-found', errorCode };
  return online ? { response: 'success' } : { response: 'operation-not-supported', errorCode };
}

/** `EIO` stands for what is no system failure: an attribute that is empty. */
function operationFailed(error: unknown): MemoryBlockChange {
  const os = [error, error instanceof Error ? error.cause : undefined].map((each) => (AgentError.is(each) ? each.os : undefined)).find((each) => each !== undefined);
  return { response: 'operation-failed', errorCode: os?.errno ?? 5 };
}
