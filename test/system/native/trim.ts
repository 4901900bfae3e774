// SPDX-License-Identifier: Apache-2.0
/** Run in a mount namespace of its own: trims a loop device's file system and prints what became of its image, as JSON. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linuxTrimming } from '../../../adapters/linux/block/trimming.ts';
import { LoopFileSystem } from './loop-file-system.ts';

using loop = new LoopFileSystem();
const file = join(loop.mountPoint, 'file');
writeFileSync(file, Buffer.alloc(24 * 1024 * 1024, 1));
execFileSync('sync', ['-f', loop.mountPoint]);
rmSync(file);
execFileSync('sync', ['-f', loop.mountPoint]);
const before = statSync(loop.image).blocks;

// A list with this file system alone: no other may be trimmed.
const root = mkdtempSync(join(tmpdir(), 'concierge-root-'));
mkdirSync(join(root, 'proc', 'self'), { recursive: true });
const mounts = (): string[] => readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
const own = mounts().find((text) => text.includes(` ${loop.mountPoint} `)) ?? '';
const device = own.split(' ')[2] ?? '';
const list = (lines: readonly string[]): void => writeFileSync(join(root, 'proc', 'self', 'mountinfo'), `${lines.join('\n')}\n`);
list([own]);
const outcomes = await linuxTrimming(root).trim(0n);
const after = statSync(loop.image).blocks;

// What covers it is passed over in the list, so that only the descriptor can tell.
execFileSync('mount', ['-t', 'tmpfs', 'none', loop.mountPoint]);
const coveredMeanwhile = await linuxTrimming(root).trim(0n);
const related = (): string[] => mounts().filter((text) => text.includes(` ${device} `) || text.includes(` ${loop.mountPoint} `) || / \/ \/ /.test(text));
// The root of the machine stands in it as something that nobody trims.
const asListed = (lines: readonly string[]): string[] =>
  lines.map((text) => (/ \/ \/ /.test(text) ? text.replace(/^(\d+ \d+) \d+:\d+/, '$1 0:1').replace(/ - .*/, ' - none none rw') : text));
list(asListed(related()));
const covered = await linuxTrimming(root).trim(0n);
execFileSync('umount', [loop.mountPoint]);
const bind = mkdtempSync(join(tmpdir(), 'concierge-bind-'));
execFileSync('mount', ['--bind', loop.mountPoint, bind]);
execFileSync('mount', ['-t', 'tmpfs', 'none', loop.mountPoint]);
list(asListed(related()));
const byBind = await linuxTrimming(root).trim(0n);
execFileSync('umount', [loop.mountPoint]);
execFileSync('umount', [bind]);
rmSync(bind, { recursive: true });
rmSync(root, { recursive: true });

process.stdout.write(
  JSON.stringify({ mountPoint: loop.mountPoint, outcomes, before, after, coveredMeanwhile, covered, byBind }, (_key, value: unknown) =>
    (typeof value === 'bigint' ? Number(value) : value)),
);
