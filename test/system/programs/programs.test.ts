import { readdirSync, readFileSync } from 'node:fs';
import { platform } from 'node:os';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { AgentProcess } from '../../wire/lib/agent-process.ts';
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
    const before = state(agent.pid);

    for (let count = 0; count < 8000; count += 1) exitCodes.add((await run(host, 'true')).exitcode);

    const after = state(agent.pid);
    expect([...exitCodes]).toEqual([0]);
    expect(after.children).toEqual([]);
    expect(after.descriptors).toBe(before.descriptors);
    // Less than the record of one process for each.
    expect(after.anonymous).toBeLessThan(before.anonymous + 12 * MiB);
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
