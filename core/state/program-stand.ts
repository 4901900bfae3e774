// SPDX-License-Identifier: Apache-2.0
import type { LeftConversation, TerminalSize } from '../ports/index.ts';

/** Of the texts, not of the agent: one that does not know it hangs the program up. */
const format = 1;

/** What a program was started as. */
export interface ProgramFacts {
  readonly number: number;
  readonly path: string;
  readonly user: string | undefined;
  readonly size: TerminalSize | undefined;
  /** Bytes of each stream that are kept while the program goes on; absent: it waits for its host. */
  readonly latest: number | undefined;
  readonly lifetime: 'detached' | 'connection';
  /** The connection that it goes with, as the next agent knows it; absent: none, or one that does not outlive the agent. */
  readonly connection: string | undefined;
  /** When its time is over, in milliseconds of the monotonic clock; absent: never. */
  readonly limitAt: number | undefined;
  /** Milliseconds that it may run without an exchange; absent: as long as it likes. */
  readonly unattendedMs: number | undefined;
  readonly hasInput: boolean;
  readonly merged: boolean;
  /** Nanoseconds since 1970. */
  readonly startedAt: bigint;
}

/** How a program stands, as far as the system does not tell. It changes in one step, before anything that rests on it is done. */
export interface ProgramStand {
  /** Of the oldest byte of each stream that hosts have not said to have. */
  readonly output: number;
  readonly errors: number;
  /** Bytes of input that were accepted, where some of them were passed over. */
  readonly passed?: number | undefined;
  readonly inputEnd?: number | undefined;
  readonly size?: TerminalSize | undefined;
  readonly timedOut: boolean;
  /** When it is killed, for it was asked to end; in milliseconds of the monotonic clock. */
  readonly killAt?: number | undefined;
  /** A host knows all there is to know of it. */
  readonly seen: boolean;
}

/** A program of an earlier agent. */
export interface LeftProgramState {
  readonly facts: ProgramFacts;
  /** The channel whose hosts can name it; empty for the first one. */
  readonly owner: string;
  readonly stand: ProgramStand;
}

const asText = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);

export const writeFacts = (facts: ProgramFacts, owner: string): string => JSON.stringify({ format, owner, ...facts }, asText);

export const writeStand = (stand: ProgramStand): string => JSON.stringify(stand);

/** Undefined for one of another format, as after an update. The texts are our own: only their age is in doubt. */
export function readLeft({ outlives, note }: Pick<LeftConversation, 'outlives' | 'note'>): LeftProgramState | undefined {
  const { format: given, owner, startedAt, ...facts } = JSON.parse(outlives) as Omit<ProgramFacts, 'startedAt'> & { format: unknown; owner: string; startedAt: string };
  if (given !== format) return undefined;
  const stand = note === '' ? { output: 0, errors: 0, size: facts.size, timedOut: false, seen: false } : (JSON.parse(note) as ProgramStand);
  return { facts: { ...facts, startedAt: BigInt(startedAt) }, owner, stand };
}
