// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync } from 'node:fs';
import { platform } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import type { AgentProcess } from '../../wire/lib/agent-process.ts';
import type { LineClient } from '../../wire/lib/line-client.ts';
import { agentOf, ask, endAll, keptAgent } from './kept-agent.ts';

const MiB = 1024;
/** As many at a time: the time for ten thousand goes into waiting for each otherwise. */
const atOnce = 50;

interface Status {
  readonly exited: boolean;
  readonly exitcode?: number;
}

/** So many programs, from their start until their end is seen. The exit codes that there were. */
async function runPrograms(host: LineClient, count: number): Promise<ReadonlySet<number | undefined>> {
  const exitCodes = new Set<number | undefined>();
  for (let done = 0; done < count; done += atOnce) {
    const request = JSON.stringify({ execute: 'guest-exec', arguments: { path: 'true', 'capture-output': true } });
    host.send(`${request}\n`.repeat(atOnce));
    const pids: number[] = [];
    for (let index = 0; index < atOnce; index += 1) pids.push((JSON.parse(String(await host.line())) as { return: { pid: number } }).return.pid);
    for (const pid of pids) {
      let status: Status;
      do status = (await ask(host, 'guest-exec-status', { pid })) as Status;
      while (!status.exited);
      exitCodes.add(status.exitcode);
    }
  }
  return exitCodes;
}

/** Of the keeper and its agent: the memory that is nobody else's, in KiB, and what the two have open. */
function stateOf(keeper: AgentProcess): { readonly anonymous: number; readonly descriptors: readonly number[] } {
  const pids = [keeper.pid, agentOf(keeper) ?? 0];
  const anonymous = pids.map((pid) => Number(/^Anonymous:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]));
  return { anonymous: anonymous.reduce((sum, one) => sum + one, 0), descriptors: pids.map((pid) => readdirSync(`/proc/${pid}/fd`).length) };
}

/** Once the keeper has done all that it was told. */
async function settledState(keeper: AgentProcess): Promise<ReturnType<typeof stateOf>> {
  for (let last = stateOf(keeper); ; ) {
    await new Promise((resolve) => void setTimeout(resolve, 100));
    const next = stateOf(keeper);
    if (String(next.descriptors) === String(last.descriptors)) return next;
    last = next;
  }
}

describe.skipIf(platform() !== 'linux')('programs of an agent with a keeper (needs Linux)', () => {
  afterEach(endAll);

  it('leave neither a descriptor nor memory behind in either of them, ten thousand of them', async () => {
    const keeper = await keptAgent({ words: ['--sleep-after=0'] });
    const host = await keeper.connect();
    try {
      // Until the results that are kept are as many as ever will be, and the code is compiled.
      const exitCodes = new Set(await runPrograms(host, 2000));
      const before = await settledState(keeper);

      for (const code of await runPrograms(host, 8000)) exitCodes.add(code);

      expect([...exitCodes]).toEqual([0]);
      await expect.poll(() => stateOf(keeper).descriptors, { timeout: 60_000 }).toEqual(before.descriptors);
      // Less than the record of one program for each.
      expect(stateOf(keeper).anonymous).toBeLessThan(before.anonymous + 12 * MiB);
    } finally {
      host.close();
    }
  });
});
