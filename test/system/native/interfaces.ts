// SPDX-License-Identifier: Apache-2.0
/** Run in a network namespace of its own: prints what the backend and what ip(8) say of its interfaces, as JSON. */
import { execFileSync } from 'node:child_process';
import { linuxNetwork } from '../../../adapters/linux/facts/network.ts';

for (const line of process.argv.slice(2)) execFileSync('ip', line.split(' '));
const ip = (): unknown => JSON.parse(execFileSync('ip', ['-j', '-s', '-s', 'addr'], { maxBuffer: 1 << 28 }).toString());

const before = ip();
const ours = await linuxNetwork().interfaces?.list();
const after = ip();

process.stdout.write(JSON.stringify({ before, ours, after }, (_key, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)));
