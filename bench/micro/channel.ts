// SPDX-License-Identifier: Apache-2.0
/**
 * What a channel costs by itself: a sink that answers each line with a fixed one, asked by a client in C, beside a `node:net`
 * server that does the same, and `qemu-ga` where it is installed. Server and client share one processor, so that the
 * figures are work done and not how long a sleeping processor takes to wake.
 *
 *   node bench/micro/channel.ts [ROUNDS]
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { SocketTransport } from '../../adapters/linux/channels/socket-transport.ts';
import { unixListen } from '../../adapters/linux/channels/unix-listen.ts';

const ANSWER = '{"return": {}}\n';

/** Calls `answer` for each line end in the chunk. */
function eachLine(chunk: Uint8Array, answer: () => void): void {
  for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, end + 1)) answer();
}

const servers: Record<string, (path: string) => void> = {
  channel(path) {
    const silent = (): void => {};
    const log = { error: silent, warning: silent, info: silent, debug: silent, account: silent, hold: async () => {}, release: silent };
    void new SocketTransport(unixListen(path), { log }).open((connection) => {
      connection.start({
        data: (chunk) => eachLine(chunk, () => connection.write(ANSWER)),
        drained: silent,
        hostChanged: silent,
        closed: silent,
      });
    });
  },
  net(path) {
    createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (chunk) => eachLine(chunk, () => socket.write(ANSWER)));
    }).listen(path);
  },
};

interface Figures {
  readonly median: number;
  readonly p99: number;
  readonly perSecond: number;
  readonly readsPerBurst: number;
}

async function compare(rounds: number): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'channel-bench-'));
  const client = join(scratch, 'round-trip');
  execFileSync('gcc', ['-O2', '-o', client, join(import.meta.dirname, 'round-trip.c')]);
  const pinned = (path: string, count: number, burst: number): Figures =>
    JSON.parse(execFileSync('taskset', ['-c', '0', client, path, String(count), String(burst)], { encoding: 'utf8' })) as Figures;

  const children: ChildProcess[] = [];
  const paths: Record<string, string> = {};
  const start = (name: string, command: readonly string[]): void => {
    paths[name] = join(scratch, `${name}.sock`);
    children.push(spawn('taskset', ['-c', '0', ...command], { stdio: 'inherit' }));
  };
  for (const name of Object.keys(servers)) start(name, [process.execPath, import.meta.filename, '--serve', name, join(scratch, `${name}.sock`)]);
  if (existsSync('/usr/sbin/qemu-ga')) start('qemu-ga', ['/usr/sbin/qemu-ga', '-m', 'unix-listen', '-p', join(scratch, 'qemu-ga.sock'), '-t', scratch]);
  while (!Object.values(paths).every((path) => existsSync(path))) await wait(20);

  const table: Record<string, Record<string, number>> = {};
  for (const [name, path] of Object.entries(paths)) {
    pinned(path, Math.ceil(rounds / 4), 1);
    const single = pinned(path, rounds, 1);
    const burst = pinned(path, Math.ceil(rounds / 50), 100);
    table[name] = {
      'ping median µs': single.median,
      'ping p99 µs': single.p99,
      'bursts of 100, pings/s': burst.perSecond,
      'reads per burst': burst.readsPerBurst,
    };
  }
  console.table(table);
  for (const child of children) child.kill();
  rmSync(scratch, { recursive: true });
}

const [flag, name = '', path = ''] = process.argv.slice(2);
if (flag === '--serve') servers[name]?.(path);
else await compare(Number(flag ?? 20_000));
