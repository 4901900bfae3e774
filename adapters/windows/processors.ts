// SPDX-License-Identifier: Apache-2.0
import { AgentError, withContext } from '../../core/errors/agent-error.ts';
import type { LogicalProcessor, Processors } from '../../core/ports/processors.ts';
import { kernel32, PROCESSOR_GROUP_INFO, SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX } from './bindings/kernel32.ts';
import type { Out } from './koffi.ts';
import { readFields } from './layout.ts';
import { LoadAverage } from './load-average.ts';
import { lastWindowsError } from './system-error.ts';

const RelationGroup = 4;

/** Processors of all groups: the reference sees the 64 of its own only. Windows switches none off at run time. */
export function windowsProcessors(): Processors {
  const load = new LoadAverage();
  return {
    online: {
      // oxlint-disable-next-line require-await -- a table in memory; a failure is a rejection
      async list() {
        return logicalProcessors();
      },
    },
    load: { average: () => load.average() },
  };
}

function logicalProcessors(): LogicalProcessor[] {
  const size: Out<number> = [0];
  kernel32.GetLogicalProcessorInformationEx(RelationGroup, null, size);
  if (size[0] === 0) throw withContext('Failed to get processor information buffer length', lastWindowsError('GetLogicalProcessorInformationEx'));
  const memory = Buffer.alloc(Math.max(size[0], SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX.size));
  if (kernel32.GetLogicalProcessorInformationEx(RelationGroup, memory, size) === 0) {
    throw withContext('Failed to get processor information', lastWindowsError('GetLogicalProcessorInformationEx'));
  }
  const groups = readFields(SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX, memory)['Group.ActiveGroupCount'];
  const first = SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX.fields['Group.GroupInfo'][0];
  let count = 0;
  for (let group = 0; group < groups; group += 1) {
    count += readFields(PROCESSOR_GROUP_INFO, memory, first + group * PROCESSOR_GROUP_INFO.size).ActiveProcessorCount;
  }
  if (count === 0) throw AgentError.failed('Guest reported zero VCPUs');
  return Array.from({ length: count }, (_, logicalId) => ({ logicalId, online: true, canOffline: false }));
}
