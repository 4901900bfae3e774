// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { platform } from 'node:os';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { AgentProcess, program } from '../../wire/lib/agent-process.ts';
import type { LineClient } from '../../wire/lib/line-client.ts';

const MiB = 1024;

/** What a process has, from /proc: counts, and KiB. */
const state = (pid: number) => ({
  descriptors: readdirSync(`/proc/${pid}/fd`).length,
  children: readdirSync(`/proc/${pid}/task`).flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').match(/\d+/g) ?? []),
  anonymous: Number(/^Anonymous:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]),
  peak: Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]),
});

interface Status {
  readonly exited: boolean;
  readonly exitcode?: number;
  readonly 'out-data'?: string;
  readonly 'out-truncated'?: boolean;
}

async function ask<T>(host: LineClient, execute: string, args: object): Promise<T> {
  host.send(`${JSON.stringify({ execute, arguments: args })}\n`);
  const line = JSON.parse(String(await host.line())) as { return?: T; error?: unknown };
  if (line.return === undefined) throw new Error(JSON.stringify(line.error));
  return line.return;
}

/** Runs a program and asks for its status until it has ended. */
async function run(host: LineClient, path: string, args: object = {}): Promise<Status> {
  const { pid } = await ask<{ pid: number }>(host, 'guest-exec', { path, ...args });
  for (;;) {
    const status = await ask<Status>(host, 'guest-exec-status', { pid });
    if (status.exited) return status;
  }
}

/** Processes whose parent it is, with their state. */
const childrenOf = (pid: number): readonly { readonly pid: number; readonly state: string }[] =>
  readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').match(/\d+/g) ?? [])
    .map((child) => ({ pid: Number(child), state: /^State:\s+(\S)/m.exec(readFileSync(`/proc/${child}/status`, 'utf8'))?.[1] ?? '' }));

const isRoot = process.getuid?.() === 0;

describe.skipIf(platform() !== 'linux' || !isRoot)('an agent that is process 1 of a container (needs Linux, root)', () => {
  it('takes the ends of orphans, and of none of its own programs', async () => {
    const container = await AgentProcess.start({ command: ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', program] });
    const [agent] = childrenOf(container.pid);
    const host = await container.connect();
    try {
      const statuses: Status[] = [];
      for (let count = 0; count < 20; count += 1) statuses.push(await run(host, '/bin/sh', { arg: ['-c', `(sleep 0.0${count}; exit 1) & exit ${count}`] }));
      const together: { readonly pid: number }[] = [];
      for (let count = 0; count < 20; count += 1) together.push(await ask(host, 'guest-exec', { path: '/bin/sh', arg: ['-c', `(sleep 0.02 &) ; exit ${count}`] }));

      await expect.poll(() => childrenOf(agent?.pid ?? 0), { timeout: 60_000 }).toEqual([]);
      expect(statuses.map(({ exitcode }) => exitcode)).toEqual(Array.from({ length: 20 }, (_, count) => count));
      const later: Status[] = [];
      for (const { pid } of together) later.push(await ask<Status>(host, 'guest-exec-status', { pid }));
      expect(later.map(({ exitcode }) => exitcode)).toEqual(Array.from({ length: 20 }, (_, count) => count));
    } finally {
      host.close();
      if (agent !== undefined) process.kill(agent.pid, 'SIGTERM');
      await container.stop();
    }
  });
});

describe.skipIf(platform() !== 'linux')('programs of an agent that lives long (needs Linux)', () => {
  let agent: AgentProcess;
  let host: LineClient;

  beforeEach(async () => {
    agent = await AgentProcess.start();
    host = await agent.connect();
  });

  afterEach(async () => {
    host.close();
    await agent.stop();
  });

  it('leave neither a zombie nor a descriptor nor memory behind, ten thousand of them', async () => {
    const exitCodes = new Set<number | undefined>();
    // Until the results that are kept are as many as ever will be, and the code is compiled.
    for (let count = 0; count < 2000; count += 1) exitCodes.add((await run(host, 'true')).exitcode);
    await expect.poll(() => state(agent.pid).children, { timeout: 60_000 }).toEqual([]);
    const before = state(agent.pid);

    for (let count = 0; count < 8000; count += 1) exitCodes.add((await run(host, 'true')).exitcode);

    expect([...exitCodes]).toEqual([0]);
    // An end that is told already may still be cleared away.
    await expect.poll(() => state(agent.pid), { timeout: 60_000 }).toMatchObject({ children: [], descriptors: before.descriptors });
    // Less than the record of one process for each.
    expect(state(agent.pid).anonymous).toBeLessThan(before.anonymous + 12 * MiB);
  });

  it('that write a gigabyte have their first 16 MiB kept, and cost little more than that', async () => {
    const before = state(agent.pid);

    const status = await run(host, 'head', { arg: ['-c', String(1024 * 1024 * 1024), '/dev/zero'], 'capture-output': true });

    const { 'out-data': data = '', ...rest } = status;
    expect(rest).toEqual({ exitcode: 0, 'out-truncated': true, exited: true });
    expect(Buffer.from(data, 'base64').equals(Buffer.alloc(16 * 1024 * 1024))).toBe(true);
    expect(state(agent.pid).peak).toBeLessThan(before.peak + 64 * MiB);
  });
});
