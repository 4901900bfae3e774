// SPDX-License-Identifier: Apache-2.0
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { AgentProcess } from '../../wire/lib/agent-process.ts';
import type { LineClient } from '../../wire/lib/line-client.ts';
import { asleep, endAll, keptAgent, starts } from './kept-agent.ts';

/** Of sleep and wake, on each of as many keepers; 10 000 of them: KEEPER_TURNS=720 KEEPER_COUNT=24 with as many wakes. */
const turns = Number(process.env['KEEPER_TURNS'] ?? 9);
const keepers = Number(process.env['KEEPER_COUNT'] ?? 12);
/** Of what is said when, by each host on its own. */
const seed = Number(process.env['KEEPER_SEED'] ?? Date.now() % 1_000_000);
/** KiB of anonymous memory that a keeper may have more at the end. */
const most = 64;

afterEach(endAll);

type Random = () => number;

/** Numbers from 0 up to 1; the same ones for the same seed. The mixing steps are those of MurmurHash3's finalizer. */
function randomFrom(start: number): Random {
  let state = start;
  return () => {
    state = (state + 0x9e37_79b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85eb_ca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}

/** Anything may fall into the moment at which the agent, asked for nothing for a second, goes to sleep. */
const aroundSleep = (random: Random): number => 800 + random() * 500;

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
let answers = 0;
const sync = (): { readonly text: string; readonly answer: string } => {
  number += 1;
  return { text: `{"execute": "guest-sync", "arguments": {"id": ${number}}}\n`, answer: `{"return": ${number}}` };
};

/** Several requests, in pieces of any length with pauses in between, also in the middle of one. */
async function say(host: LineClient, count: number, random: Random): Promise<void> {
  const requests = Array.from({ length: count }, sync);
  let text = requests.map((request) => request.text).join('');
  while (text.length > 0) {
    const length = 1 + Math.floor(random() * text.length);
    host.send(text.slice(0, length));
    text = text.slice(length);
    if (random() < 0.3) await wait(random() * 50);
  }
  for (const { answer } of requests) expect((await host.line())?.toString()).toBe(answer);
  answers += count;
}

async function manyTurns(keeper: AgentProcess, random: Random): Promise<void> {
  let host = await keeper.connect();
  await say(host, 1, random);
  for (let turn = 0; turn < turns; turn += 1) {
    await wait(aroundSleep(random));
    if (random() < 0.2) {
      // A host that goes away in the middle of a request, or without its answer, and another one.
      host.send(random() < 0.5 ? '{"execute": "guest-' : sync().text);
      host.close();
      host = await keeper.connect();
    }
    await say(host, 1 + Math.floor(random() * 4), random);
  }
  // Behind the last answer there is none that came twice.
  await say(host, 1, random);
  host.close();
}

describe(`${turns} turns of sleep and wake on each of ${keepers} keepers (seed ${seed})`, () => {
  it('answer every request once and in order, and leave nothing behind', async () => {
    const all = await Promise.all(Array.from({ length: keepers }, () => keptAgent()));
    for (const keeper of all) await asleep(keeper);
    // The socket of the agent, and clients that have left, go a moment after it.
    await wait(1000);
    const atRest = all.map(({ pid }) => descriptors(pid));
    const before = all.map(({ pid }) => memory(pid));

    await Promise.all(all.map((keeper, index) => manyTurns(keeper, randomFrom(seed + index))));

    for (const keeper of all) await asleep(keeper);
    // One by one, so that one too many is named.
    for (const [index, { pid }] of all.entries()) await vi.waitFor(() => expect(descriptors(pid)).toEqual(atRest[index]), { timeout: 60_000 });
    const more = all.map(({ pid }, index) => memory(pid) - (before[index] ?? 0));
    const wakes = all.reduce((sum, keeper) => sum + starts(keeper) - 1, 0);
    console.log(`${turns * keepers} turns: ${wakes} wakes, ${answers} answers, ${Math.max(...more)} KiB more at most`);
    expect(Math.max(...more)).toBeLessThan(most);
    expect(wakes).toBeGreaterThan(0);
  }, 60_000 + turns * 10_000);
});
