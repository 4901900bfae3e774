// SPDX-License-Identifier: Apache-2.0
/** The copies under measurement, through the socket of an agent wherever it runs. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';

import { DEFAULT_PIECE } from '../../client/piece.ts';
import { loadProgram } from './agents.ts';
import { median } from './median.ts';

const run = promisify(execFile);
export const MiB = 1024 * 1024;
const control = resolve(import.meta.dirname, '../../bin/concierge-ctl');
const load = loadProgram();

export interface Copied {
  /** MiB/s. */
  readonly speed: number;
  /** MiB at the peak; of `concierge-ctl` alone. */
  readonly client?: number;
  /** Seconds of processor time. */
  readonly clientTime: number;
}

/** A copy, and what it cost the agent. */
export interface Figures extends Copied {
  /** MiB at the peak. */
  readonly agent: number;
  /** Seconds of processor time. */
  readonly agentTime: number;
}

/** With the host in C: `words` are what it takes behind the socket. */
export async function copyInC(socket: string, words: readonly string[]): Promise<Copied> {
  const { stdout } = await run(load, [socket, ...words]);
  const { bytes, total, processor } = JSON.parse(stdout) as { readonly bytes: number; readonly total: number; readonly processor: number };
  return { speed: bytes / MiB / (total / 1e9), clientTime: processor / 1e6 };
}

/** With `concierge-ctl cp`, its start and end included. */
export async function copyByUs(socket: string, from: string, to: string, { bytes, scratch }: { readonly bytes: number; readonly scratch: string }): Promise<Copied> {
  const useFile = join(scratch, 'use');
  const began = performance.now();
  await run(control, ['--socket', socket, 'cp', from, to], {
    env: { ...process.env, USE_FILE: useFile, NODE_OPTIONS: `--require ${join(import.meta.dirname, 'report-use.cjs')}` },
  });
  const seconds = (performance.now() - began) / 1000;
  const [peak = Number.NaN, time = Number.NaN] = readFileSync(useFile, 'utf8').split(' ').map(Number);
  rmSync(useFile);
  return { speed: bytes / MiB / seconds, client: peak / 1024, clientTime: time / 1e6 };
}

/** A file that no compression makes smaller. */
export async function fillWithNoise(path: string, bytes: number): Promise<void> {
  await pipeline(createReadStream('/dev/urandom', { end: bytes - 1, highWaterMark: MiB }), createWriteStream(path));
}

export async function digest(path: string): Promise<string> {
  const hash = createHash('sha1');
  await pipeline(createReadStream(path, { highWaterMark: MiB }), hash);
  return hash.digest('hex');
}

/** Seconds of processor time so far, of threads that have ended too, in the text of /proc/PID/stat; to a hundredth, the tick of proc(5). */
export function processorSeconds(stat: string): number {
  const fields = stat.replace(/^.*\) /s, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const print = (name: string, cells: readonly string[]): void => console.log(`${name.padEnd(36)}${cells.map((cell) => (cell === 'NaN' ? '' : cell).padStart(12)).join('')}`);

export const printTitle = (size: number, rounds: number): void => print(`${size / MiB} MiB in pieces of ${DEFAULT_PIECE / MiB} MiB, ${rounds} times`, ['MiB/s', 'client MiB', 'agent MiB', 'client s', 'agent s']);

/** Medians of all rounds, and the highest of the peaks. */
export function printFigures(name: string, figures: readonly Figures[], digits = 0): void {
  const all = (member: keyof Figures): number[] => figures.map((one) => one[member] ?? Number.NaN);
  print(name, [
    median(all('speed')).toFixed(digits),
    Math.max(...all('client')).toFixed(0),
    Math.max(...all('agent')).toFixed(0),
    median(all('clientTime')).toFixed(2),
    median(all('agentTime')).toFixed(2),
  ]);
}
