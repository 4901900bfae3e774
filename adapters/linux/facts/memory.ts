// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

import { AgentError, osCode } from '../../../core/errors/agent-error.ts';
import { posixErrorOf, posixNumber } from '../../../core/errors/posix-errno.ts';
import type { Memory, MemoryBlock, MemoryBlockChange } from '../../../core/ports/index.ts';
import { attribute, attributeOrErrno, attributesOfEach, exists, failedBecause, fileError, namesIn } from '../kernel-files.ts';
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
      blockSize: () => blockSize(root),
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
  for (let begin = 0; begin < indexes.length; begin += blocksPerTurn) {
    if (begin > 0) await setImmediate();
    list.push(...someBlocks(root, indexes.slice(begin, begin + blocksPerTurn)));
  }
  return list;
}

/** Without those that were unplugged since the directory was listed. */
function someBlocks(root: string, indexes: readonly bigint[]): MemoryBlock[] {
  const names = indexes.map((index) => `memory${index}`);
  const all = `${root}${directory}`;
  const [states, removables] = (['state', 'removable'] as const).map((name) =>
    attributesOfEach(all, names, name).map((said, at) => {
      if (said === -posixNumber('ENOENT')) return undefined;
      // Asked again for all that there is to say of the failure.
      return typeof said === 'string' && said !== '' ? said : attributeOf(root, `${directory}${names[at]}`, name);
    }));
  return indexes.flatMap((physIndex, at) => {
    const state = states?.[at];
    if (state === undefined) return exists(`${all}${names[at]}`) ? { physIndex, online: true, canOffline: false } : [];
    const removable = removables?.[at];
    return { physIndex, online: state.startsWith('online'), canOffline: removable !== undefined && !removable.startsWith('0') };
  });
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
  const name = 'block_size_bytes';
  const text = attribute(`${root}${directory}${name}`) ?? whyNoBlockSize(root, name);
  if (!/^[0-9a-f]{1,16}$/i.test(text)) throw AgentError.failed(`sysfs file "${name}" holds no number`);
  return BigInt(`0x${text}`);
}

/** The directory is listed, thousands of names, only where something is wrong. */
function whyNoBlockSize(root: string, name: string): string {
  try {
    namesIn(`${root}${directory}`);
  } catch (error) {
    throw failedBecause(`open("${directory}")`, error);
  }
  const text = attributeOf(root, directory.slice(0, -1), name)?.trim();
  if (text === undefined) throw AgentError.failed(`open sysfs file "${name}": No such file or directory`);
  return text;
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
    // The kernel answers EINVAL where somebody was quicker: a rule of udev that does the same.
    const now = attributeOrErrno(file);
    return typeof now === 'string' && now.startsWith(online ? 'online' : 'offline') ? { response: 'success' } : operationFailed(error);
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
