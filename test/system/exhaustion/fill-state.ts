// SPDX-License-Identifier: Apache-2.0
/** Keeps state on a disk that has a single page of room left and then more, for a process in a namespace of its own. */
import { readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { FileStateStore } from '../../../adapters/state-store/state-store.ts';
import { messageOf } from '../../../core/errors/agent-error.ts';

const [directory = ''] = process.argv.slice(2);
const store = new FileStateStore({ directory, warn: () => undefined });
const filler = join(directory, 'filler');
try {
  writeFileSync(filler, Buffer.alloc(1024 * 1024));
} catch {
  // As much as there is room for.
}
truncateSync(filler, statSync(filler).size - 4096);

// More than a page of text.
const targets = Array.from({ length: 200 }, (_, index) => ({ id: `8:${index}`, mountPoint: `/srv/volume-${index}` }));
const bootId = await store.bootId();
const attempt = (): Promise<string> => store.writeFreezeMarker({ bootId, targets, deadlineAt: 5n, recoveryData: {} }).then(() => 'written', messageOf);

const refused = await attempt();
const left = readdirSync(directory).filter((name) => name.includes('isfrozen'));
// What was begun holds nothing of the room that is left.
const handle = await store.reserveHandles(1).then(String, messageOf);
rmSync(filler);
const written = await attempt();
const read = (await store.readFreezeMarker())?.targets.length;
console.log(JSON.stringify({ refused, left, handle, written, read }));
