// SPDX-License-Identifier: Apache-2.0
import { AgentError, osCode, withContext } from '../../../core/errors/agent-error.ts';
import type { LogicalProcessor, Processors } from '../../../core/ports/index.ts';
import { attributeIfAny, failedBecause, fileError, namesIn, readText } from '../kernel-files.ts';
import { parseLoad, parseProcessorStatistics } from './processor-statistics.ts';
import { turns } from '../turns.ts';

/** Writes to an attribute in /sys in one write(2), off the event loop: taking a processor down can take a while. */
export type WriteAttribute = (path: string, text: string) => Promise<void>;

const directory = '/sys/devices/system/cpu';

/** A host may switch as many in one call as a request holds: after so many of them others get their turn. */
const processorsPerTurn = 256;

/** guest-get-vcpus and its kin. `root` is put before every path: '' for the running system. */
export function linuxProcessors(root: string, writeAttribute: WriteAttribute): Processors {
  const othersTurn = turns(processorsPerTurn);
  return {
    online: {
      list: () => processorNumbers(root).flatMap((id) => processor(root, id) ?? []),
      switching: {
        async set(logicalId, online) {
          await othersTurn();
          await switchProcessor(root, logicalId, online, writeAttribute);
        },
      },
    },
    statistics: {
      list: () => {
        try {
          return parseProcessorStatistics(readText(`${root}/proc/stat`));
        } catch (error) {
          throw failedBecause("Could not open '/proc/stat'", error);
        }
      },
    },
    load: {
      average: () => {
        try {
          return parseLoad(readText(`${root}/proc/loadavg`));
        } catch (error) {
          throw failedBecause('cannot query load average', error);
        }
      },
    },
  };
}

function processorNumbers(root: string): number[] {
  try {
    const numbers: number[] = [];
    for (const name of namesIn(`${root}${directory}`)) {
      if (name.startsWith('cpu') && /^cpu\d+$/.test(name)) numbers.push(Number(name.slice(3)));
    }
    return numbers.sort((a, b) => a - b);
  } catch (error) {
    throw failedBecause(`failed to list entries: ${directory}`, error);
  }
}

/** `undefined` for one that was unplugged since the directory was listed. */
function processor(root: string, id: number): LogicalProcessor | undefined {
  try {
    const online = onlineState(root, String(id));
    return { logicalId: id, online: online ?? true, canOffline: online !== undefined };
  } catch (error) {
    if (osCode(error instanceof Error ? error.cause : undefined) === 'ENOENT') return undefined;
    throw error;
  }
}

/** `undefined` for a processor that can't be switched: it has no `online` file. Texts are the reference's. */
function onlineState(root: string, id: string): boolean | undefined {
  const place = `${directory}/cpu${id}/`;
  const text = attributeIfAny(`${root}${directory}/cpu${id}`, 'online');
  if (text === null) return undefined;
  if (text === undefined) return whyNoState(root, place);
  if (text === '') throw AgentError.failed(`pread("${place}/online"): unexpected EOF`);
  return !text.startsWith('0');
}

/** The processor has no such file, or something is wrong. */
function whyNoState(root: string, place: string): undefined {
  try {
    namesIn(`${root}${place}`);
  } catch (error) {
    throw failedBecause(`Could not open '${place}'`, error);
  }
  const file = `${place}/online`;
  try {
    readText(`${root}${file}`);
  } catch (error) {
    const reason = fileError(error);
    if (osCode(reason) === 'ENOENT') return undefined;
    throw failedBecause(reason.os?.syscall === 'read' ? `pread("${file}")` : `could not open ${file}`, reason);
  }
  return undefined;
}

async function switchProcessor(root: string, logicalId: bigint, online: boolean, writeAttribute: WriteAttribute): Promise<void> {
  const now = onlineState(root, String(logicalId));
  if (now === undefined) {
    if (online) return;
    throw AgentError.failed(`logical processor #${logicalId} can't be offlined`);
  }
  if (now === online) return;
  const file = `${directory}/cpu${logicalId}/online`;
  try {
    await writeAttribute(`${root}${file}`, online ? '1' : '0');
  } catch (error) {
    throw withContext(`pwrite("${directory}/cpu${logicalId}//online")`, fileError(error));
  }
}
