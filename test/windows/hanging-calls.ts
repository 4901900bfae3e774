// SPDX-License-Identifier: Apache-2.0
/** A process in which more calls hang than libuv has threads. Started by vss.test.ts. */
import { readFile } from 'node:fs/promises';

import { replaceDlls } from '../../adapters/windows/dll.ts';
import { demandExport } from '../../adapters/windows/exports.ts';
import { callOnThread } from '../../adapters/windows/own-thread.ts';
import { vssDlls } from './vss-double.ts';

replaceDlls(vssDlls);
const sleep = demandExport('kernel32.dll', 'Sleep');
for (let count = 0; count < 8; count += 1) void callOnThread(sleep, ['uint32_t'], [600_000]);
await readFile(process.argv[1] ?? '');
console.log('eight calls hang, a file was read');
process.exit(7);
