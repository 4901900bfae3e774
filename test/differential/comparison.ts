// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import type { LineClient } from '../wire/lib/line-client.ts';
import { rowsOf } from './explanation.ts';
import { caseOf } from './grammar.ts';
import { Random } from './random.ts';

/** Cases that are under way at a time. */
const BATCH = 100;

/** Numbers that no case asks for. */
let lastMark = 4_300_000_000_000_000;

const markOf = (id: number): Buffer => Buffer.concat([Buffer.of(0xff), Buffer.from(`{"execute":"guest-sync-delimited","arguments":{"id":${id}}}\n`)]);

/** What an agent answers to each of the cases, which it all gets in one stream, each with a marked request behind it. */
async function answers(client: LineClient, cases: readonly Buffer[], firstMark: number): Promise<string[][]> {
  client.send(Buffer.concat(cases.flatMap((bytes, i) => [bytes, markOf(firstMark + i)])));
  const all: string[][] = [];
  for (const i of cases.keys()) {
    const lines: string[] = [];
    for (let line = await client.text(); line !== `\xff{"return": ${firstMark + i}}`; line = await client.text()) {
      if (line === undefined) throw new Error(`the agent closed in the middle of ${JSON.stringify(cases[i]?.toString('latin1'))}`);
      lines.push(line);
    }
    all.push(lines);
  }
  return all;
}

export interface Peer {
  readonly name: string;
  readonly client: LineClient;
  readonly isNewest: boolean;
}

export interface Deviation {
  readonly peer: string;
  readonly bytes: string;
  readonly ours: readonly string[];
  readonly theirs: readonly string[];
}

export interface Outcome {
  readonly cases: number;
  /** How often each row of docs/differences.md was needed. */
  readonly rows: ReadonlyMap<string, number>;
  readonly deviation: Deviation | undefined;
}

/** Sends `count` cases to ours and to all peers, up to the first deviation that no row explains; that one is made small. */
export async function compare(ours: LineClient, peers: readonly Peer[], seed: number, count: number): Promise<Outcome> {
  const random = new Random(seed);
  const rows = new Map<string, number>();
  for (let done = 0; done < count; done += BATCH) {
    const cases = Array.from({ length: Math.min(BATCH, count - done) }, () => caseOf(random));
    const deviating = await differing(ours, peers, cases, rows);
    if (deviating !== undefined) return { cases: done, rows, deviation: await shrunk(ours, peers, deviating) };
  }
  return { cases: count, rows, deviation: undefined };
}

interface Found {
  readonly peer: Peer;
  readonly bytes: Buffer;
  readonly ours: readonly string[];
  readonly theirs: readonly string[];
}

async function differing(ours: LineClient, peers: readonly Peer[], cases: readonly Buffer[], rows: Map<string, number>): Promise<Found | undefined> {
  const mark = lastMark;
  lastMark += cases.length;
  const [own = [], ...others] = await Promise.all([ours, ...peers.map(({ client }) => client)].map((client) => answers(client, cases, mark)));
  for (const [i, bytes] of cases.entries()) {
    for (const [which, peer] of peers.entries()) {
      const [said, theirs] = [own[i] as string[], others[which]?.[i] as string[]];
      const explained = rowsOf(said, theirs, peer.isNewest);
      if (explained === undefined) return { peer, bytes, ours: said, theirs };
      for (const row of explained) rows.set(row, (rows.get(row) ?? 0) + 1);
    }
  }
  return undefined;
}

/** Takes out what the deviation does not need. */
async function shrunk(ours: LineClient, peers: readonly Peer[], first: Found): Promise<Deviation> {
  let found = first;
  for (let size = found.bytes.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at + size <= found.bytes.length; ) {
      const smaller = Buffer.concat([found.bytes.subarray(0, at), found.bytes.subarray(at + size)]);
      const still = await differing(ours, [first.peer], [smaller], new Map());
      if (still === undefined) at += size;
      else found = still;
    }
  }
  return { peer: found.peer.name, bytes: found.bytes.toString('latin1'), ours: found.ours, theirs: found.theirs };
}
