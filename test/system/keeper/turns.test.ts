// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { AgentProcess } from '../../wire/lib/agent-process.ts';
import type { LineClient } from '../../wire/lib/line-client.ts';
import { asleep, endAll, keptAgent, starts } from './kept-agent.ts';

/** Of sleep and wake, on each of as many keepers; a soak sets more. */
const turns = Number(process.env['KEEPER_TURNS'] ?? 6);
const keepers = Number(process.env['KEEPER_COUNT'] ?? 3);

afterEach(endAll);

/** Anything may fall into the moment at which the agent, asked for nothing for a second, goes to sleep. */
const aroundSleep = (): number => 800 + Math.random() * 500;

const memory = (pid: number): number => Number(/^Anonymous:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1]);

/** What each of them is, without the number that the kernel has given it. */
const descriptors = (pid: number): readonly string[] =>
  readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/\[\d+\]$/, '');
    } catch {
      // Closed since the list was read.
      return [];
    }
  }).toSorted();

let number = 0;
const sync = (): { readonly text: string; readonly answer: string } => {
  number += 1;
  return { text: `{"execute": "guest-sync", "arguments": {"id": ${number}}}\n`, answer: `{"return": ${number}}` };
};

/** Several requests, in pieces of any length with pauses in between, also in the middle of one. */
async function say(host: LineClient, count: number): Promise<void> {
  const requests = Array.from({ length: count }, sync);
  let text = requests.map((request) => request.text).join('');
  while (text.length > 0) {
    const length = 1 + Math.floor(Math.random() * text.length);
    host.send(text.slice(0, length));
    text = text.slice(length);
    if (Math.random() < 0.3) await wait(Math.random() * 50);
  }
  for (const { answer } of requests) expect((await host.line())?.toString()).toBe(answer);
}

async function manyTurns(keeper: AgentProcess): Promise<void> {
  let host = await keeper.connect();
  await say(host, 1);
  for (let turn = 0; turn < turns; turn += 1) {
    await wait(aroundSleep());
    if (Math.random() < 0.2) {
      // A host that goes away in the middle of a request, and another one.
      host.send('{"execute": "guest-');
      host.close();
      host = await keeper.connect();
    }
    await say(host, 1 + Math.floor(Math.random() * 4));
  }
  host.close();
}

describe(`${turns} turns of sleep and wake on each of ${keepers} keepers`, () => {
  it('answer every request once and in order, and leave nothing behind', async () => {
    const all = await Promise.all(Array.from({ length: keepers }, () => keptAgent()));
    for (const keeper of all) await asleep(keeper);
    // The socket of the agent, and clients that have left, go a moment after it.
    await wait(1000);
    const atRest = all.map(({ pid }) => descriptors(pid));
    const before = all.map(({ pid }) => memory(pid));

    await Promise.all(all.map(manyTurns));

    for (const keeper of all) await asleep(keeper);
    // One by one, so that one too many is named.
    for (const [index, { pid }] of all.entries()) await vi.waitFor(() => expect(descriptors(pid)).toEqual(atRest[index]), { timeout: 10_000 });
    for (const [index, { pid }] of all.entries()) expect(memory(pid) - (before[index] ?? 0)).toBeLessThan(64);
    const wakes = all.reduce((sum, keeper) => sum + starts(keeper) - 1, 0);
    console.log(`${wakes} wakes`);
    expect(wakes).toBeGreaterThan(0);
  }, 60_000 + turns * 10_000);
});
