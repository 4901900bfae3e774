// SPDX-License-Identifier: Apache-2.0
/**
 * What the addon's operations cost: medians over many, on whatever else the machine is doing.
 *
 *   node bench/micro/native.ts [ROUNDS]
 */
import { execFileSync } from 'node:child_process';
import { access } from 'node:fs/promises';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenMode } from '../../core/ports/file-system.ts';
import type { SpawnRequest } from '../../core/ports/processes.ts';
import { files } from '../../adapters/linux/files/files.ts';
import { nativeAddon } from '../../adapters/linux/native.ts';
import { linuxNetwork } from '../../adapters/linux/facts/network.ts';
import { processes } from '../../adapters/linux/programs/processes.ts';

const MIB = 1024 * 1024;
const rounds = Number(process.argv[2] ?? 1000);

/** The median in microseconds. */
async function median(count: number, work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < count; round++) {
    const start = process.hrtime.bigint();
    await work();
    times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  times.sort((a, b) => a - b);
  return times[Math.floor(count / 2)] ?? Number.NaN;
}

const report = (what: string, microseconds: number, bytes = 0): void => {
  const rate = bytes === 0 ? '' : `  ${Math.round(bytes / MIB / (microseconds / 1e6))} MiB/s`;
  console.log(`${what.padEnd(52)} ${microseconds.toFixed(1).padStart(10)} µs${rate}`);
};

const reading: OpenMode = { read: true, write: false, append: false, create: false, truncate: false };
const writing: OpenMode = { read: false, write: true, append: false, create: true, truncate: false };

async function fileFigures(directory: string): Promise<void> {
  const path = join(directory, 'file');
  writeFileSync(path, Buffer.alloc(48 * MIB, 1));
  report('an operation on an I/O thread', await median(rounds, () => nativeAddon().isExecutable('/bin/sh')));
  report('the same in libuv\'s pool', await median(rounds, () => access('/bin/sh')));
  report('open and close', await median(rounds, async () => (await files.open(path, reading)).close()));

  const reader = await files.open(path, reading);
  const into = Buffer.alloc(192 * 1024);
  let atOnce = 0;
  report('read 48 MiB from the page cache', await median(10, async () => {
    await reader.seek(0n, 'set');
    for (;;) {
      const answer = reader.read(into);
      if (typeof answer === 'number') atOnce++;
      if ((await answer) === 0) return;
    }
  }), 48 * MIB);
  console.log(`  of these reads ${atOnce} were answered without a thread`);
  await reader.close();

  const writer = await files.open(path, writing);
  const bytes = Buffer.alloc(MIB, 2);
  report('write 1 MiB', await median(48, async () => {
    await writer.seek(0n, 'set');
    await writer.write(bytes);
  }), MIB);
  await writer.close();
}

async function run(path: string, args: readonly string[], more: Partial<SpawnRequest> = {}): Promise<void> {
  const running = await processes.spawn({ path, arguments: args, output: 'capture', errors: 'capture', ...more });
  running.onOutput(() => {});
  await running.finished;
}

async function processFigures(): Promise<void> {
  report('run true until it has ended', await median(rounds, () => run('/bin/true', [])));
  report('8 MiB of output', await median(20, () => run('head', ['-c', String(8 * MIB), '/dev/zero'])), 8 * MIB);
  report('8 MiB of input', await median(20, () => run('cat', [], { input: Buffer.alloc(8 * MIB), output: 'discard' })), 8 * MIB);
}

async function networkFigures(): Promise<void> {
  const network = linuxNetwork();
  report(`${execFileSync('ls', ['/sys/class/net']).toString().trim().split('\n').length} interfaces`, await median(rounds, async () => network.interfaces?.list()));
  report('routes', await median(rounds, async () => network.routes?.list()));
}

const directory = mkdtempSync(join(tmpdir(), 'native-bench-'));
try {
  await fileFigures(directory);
  await processFigures();
  await networkFigures();
} finally {
  rmSync(directory, { recursive: true });
}
