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
const line = readFileSync('/proc/self/mountinfo', 'utf8').split('\n').find((text) => text.includes(` ${loop.mountPoint} `));
writeFileSync(join(root, 'proc', 'self', 'mountinfo'), `${line ?? ''}\n`);
const outcomes = await linuxTrimming(root).trim(0n);
rmSync(root, { recursive: true });

const after = statSync(loop.image).blocks;
process.stdout.write(
  JSON.stringify({ mountPoint: loop.mountPoint, outcomes, before, after }, (_key, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)),
);
