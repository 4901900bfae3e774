// SPDX-License-Identifier: Apache-2.0
/** Run in a mount namespace of its own: works on files while their file system is frozen, and prints what happened, as JSON. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenMode } from '../../../core/ports/file-system.ts';
import { files } from '../../../adapters/linux/files/files.ts';
import { processes } from '../../../adapters/linux/programs/processes.ts';
import { LoopFileSystem } from './loop-file-system.ts';

const writing: OpenMode = { read: false, write: true, append: false, create: true, truncate: true };
const reading: OpenMode = { read: true, write: false, append: false, create: false, truncate: false };

using loop = new LoopFileSystem();
const cached = join(loop.mountPoint, 'cached');
writeFileSync(cached, 'in memory');
const reader = await files.open(cached, reading);
// Once in vain, so that the access time is up to date and the bytes are in memory.
await reader.read(Buffer.alloc(100));
await reader.seek(0n, 'set');
const written = await Promise.all(Array.from({ length: 12 }, (_, index) => files.open(join(loop.mountPoint, `file-${index}`), writing)));

execFileSync('fsfreeze', ['--freeze', loop.mountPoint]);
let settled = 0;
const stuck = written.map(async (file) => {
  await file.write(Buffer.from('text'));
  settled++;
});
const into = Buffer.alloc(100);
const report = { readAtOnce: 0, elsewhere: '', exec: -1, settledWhileFrozen: -1, contents: [] as string[] };
try {
  const answer = reader.read(into);
  if (typeof answer === 'number') report.readAtOnce = answer;
  const other = await files.open('/proc/self/comm', reading);
  report.elsewhere = into.subarray(0, await other.read(into)).toString().trim();
  await other.close();
  const program = await processes.spawn({ path: '/bin/sh', arguments: ['-c', 'exit 7'], output: 'discard', errors: 'discard' });
  const end = await program.finished;
  report.exec = 'exitCode' in end ? end.exitCode : -1;
  report.settledWhileFrozen = settled;
} finally {
  execFileSync('fsfreeze', ['--unfreeze', loop.mountPoint]);
}
await Promise.all(stuck);
await Promise.all([...written, reader].map((file) => file.close()));
report.contents = written.map((_file, index) => readFileSync(join(loop.mountPoint, `file-${index}`), 'utf8'));
process.stdout.write(JSON.stringify(report));
