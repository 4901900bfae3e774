// SPDX-License-Identifier: Apache-2.0
/**
 * Commands over ten connections to an agent as it ships, and its memory in the meantime. `node test/fuzz/soak/run.ts
 * [COUNT]` asks a million and ends with 1 where more than 5 % is added after the first tenth; the test beside it asks fewer.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AgentProcess } from '../../wire/lib/agent-process.ts';
import type { LineClient } from '../../wire/lib/line-client.ts';

const connections = 10;
/** Between two looks at the memory. */
const looks = 10;

/** What a host asks for again and again; nothing of the machine is changed. */
const questions: readonly (readonly [execute: string, args?: object])[] = [
  ['guest-ping'], ['guest-sync', { id: 4711 }], ['guest-info'], ['guest-get-time'], ['guest-get-osinfo'], ['guest-get-host-name'], ['guest-get-timezone'],
  ['guest-get-users'], ['guest-network-get-interfaces'], ['guest-network-get-route'], ['guest-get-fsinfo'], ['guest-get-disks'], ['guest-get-diskstats'],
  ['guest-get-cpustats'], ['guest-get-load'], ['guest-get-vcpus'], ['guest-get-memory-block-info'], ['guest-fsfreeze-status'], ['guest-file-read', { handle: 1 }],
  ['guest-nothing'], ['guest-exec-status', { pid: 1 }], ['__org.concierge_fsfreeze-report'],
];

export interface Soak {
  readonly commands: number;
  /** KiB of resident memory, after each tenth. */
  readonly resident: readonly number[];
  /** Highest of the later tenths over the first, less 1. */
  readonly growth: number;
  /** Lowest of the last three tenths over the lowest of the three before them, less 1: garbage that waits for its collection raises a look, never lowers it. */
  readonly lateGrowth: number;
}

const residentOf = (pid: number): number => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

async function ask(host: LineClient, execute: string, args?: object): Promise<{ readonly return?: unknown }> {
  host.send(`${JSON.stringify({ execute, ...(args !== undefined && { arguments: args }) })}\n`);
  const line = await host.line();
  if (line === undefined) throw new Error(`the connection was closed after ${execute}`);
  return JSON.parse(line.toString('latin1')) as { readonly return?: unknown };
}

/** Opens, writes, reads and closes a file: five commands. */
async function useFile(host: LineClient, path: string): Promise<void> {
  const { return: handle } = await ask(host, 'guest-file-open', { path, mode: 'w+' });
  if (typeof handle !== 'number') throw new Error(`no handle for ${path}`);
  await ask(host, 'guest-file-write', { handle, 'buf-b64': 'QUJD' });
  await ask(host, 'guest-file-seek', { handle, offset: 0, whence: 'set' });
  await ask(host, 'guest-file-read', { handle, count: 10 });
  await ask(host, 'guest-file-close', { handle });
}

/** Runs a program to its end: as many commands as that takes. */
async function useProgram(host: LineClient): Promise<number> {
  const { return: value } = await ask(host, 'guest-exec', { path: 'true', 'capture-output': true });
  const { pid } = value as { readonly pid: number };
  for (let commands = 2; ; commands += 1) {
    const { return: status } = await ask(host, 'guest-exec-status', { pid });
    if ((status as { readonly exited: boolean }).exited) return commands;
  }
}

export async function soak(commands: number, tell: (line: string) => void = () => undefined): Promise<Soak> {
  const agent = await AgentProcess.start();
  const resident: number[] = [];
  let asked = 0;
  try {
    const hosts = await Promise.all(Array.from({ length: connections }, () => agent.connect()));
    for (let look = 1; look <= looks; look += 1) {
      const until = (commands * look) / looks;
      await Promise.all(hosts.map(async (host, number) => {
        const path = join(agent.directory, `file${number}`);
        for (let turn = 0; asked < until; turn += 1) {
          if (turn % 40 === 11) {
            await useFile(host, path);
            asked += 5;
          } else if (turn % 200 === 99) {
            asked += await useProgram(host);
          } else {
            const [execute, args] = questions[(turn + number) % questions.length] ?? ['guest-ping'];
            await ask(host, execute, args);
            asked += 1;
          }
        }
      }));
      resident.push(residentOf(agent.pid));
      tell(`${asked} commands: ${resident.at(-1)} KiB resident`);
    }
    for (const host of hosts) host.close();
  } finally {
    await agent.stop();
  }
  const [first = Number.NaN, ...later] = resident;
  return { commands: asked, resident, growth: Math.max(...later) / first - 1, lateGrowth: Math.min(...resident.slice(-3)) / Math.min(...resident.slice(-6, -3)) - 1 };
}

if (import.meta.filename === process.argv[1]) {
  const began = performance.now();
  const { commands, growth, resident } = await soak(Number(process.argv[2] ?? 1_000_000), (line) => console.log(line));
  console.log(`${commands} commands in ${((performance.now() - began) / 1000).toFixed(0)} s; after the first tenth ${resident[0]} KiB, at most ${Math.max(...resident)} later: ${(growth * 100).toFixed(1)} %`);
  console.log(execFileSync('uname', ['-srm'], { encoding: 'utf8' }).trim());
  if (growth > 0.05) process.exitCode = 1;
}
