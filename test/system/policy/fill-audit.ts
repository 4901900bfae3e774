// SPDX-License-Identifier: Apache-2.0
/** Records into a file on a disk that becomes full and is then given room, for a process in a namespace of its own. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { auditFile } from '../../../adapters/audit/audit-file.ts';
import { AuditTrail } from '../../../adapters/audit/audit-trail.ts';

const [directory = ''] = process.argv.slice(2);
const filler = join(directory, 'filler');
writeFileSync(filler, Buffer.alloc(8192));
const trail = new AuditTrail(auditFile(join(directory, 'audit')));
const record = async (from: number, to: number): Promise<void> => {
  for (let count = from; count < to; count += 1) trail.record({ at: 0n, channel: 'x', command: `command ${count}`, result: 'done', microseconds: 0 });
  await trail.flush();
};
await record(0, 100);
await record(100, 200);
rmSync(filler);
await record(200, 201);
await record(201, 202);
