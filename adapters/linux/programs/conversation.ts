// SPDX-License-Identifier: Apache-2.0
import { closeSync, fstatSync, readSync, writeSync } from 'node:fs';
import { constants } from 'node:os';

import { AgentError } from '../../../core/errors/agent-error.ts';
import { posixError } from '../../../core/errors/posix-errno.ts';
import type { KeptDescriptors, LeftProgram } from '../../../core/ports/keeper.ts';
import type { ProcessEnd } from '../../../core/ports/process-end.ts';
import type { KeptConversation, LeftConversation, ProgramStream, TerminalProgram } from '../../../core/ports/programs.ts';
import { keeperAddon } from '../keeper/keeper-binding.ts';
import { type NativeAddon, nativeAddon } from '../native.ts';
import { toldEnd, waitStatus } from './wait-status.ts';

/** What both ways to a program answer: to have started it, and to go on with it. */
export interface NativeProgram {
  readonly pid: number;
  /** −1: nothing there now. */
  readonly read: (stream: number, into: Uint8Array) => number;
  /** −1: nobody reads any more. */
  readonly write: (bytes: Uint8Array) => number;
  readonly endInput: () => void;
  readonly signal: (signal: number, group: boolean) => void;
  readonly resize: (rows: number, columns: number) => void;
  readonly kill: () => void;
  /** Nothing is told any more. Answers the pipes that others may still write to, which are the caller's then. */
  readonly letGo: () => readonly number[];
  /** A bit for each of output, errors and input that is open, and one where what was recorded is of no use any more. */
  readonly state: () => number;
  /** Gives back memory of a stream before an offset. */
  readonly forget: (stream: number, before: number) => void;
  /** As `places` has them, −1 for each that is not there. They stay its own. */
  readonly descriptors: readonly number[];
}

export interface ConversationAddon extends NativeAddon {
  /** Owns the descriptors. `resume` says from which offsets on output is told, `end` how it has ended. */
  takeOverInteractive(
    pid: number,
    descriptors: readonly number[],
    onTerminal: boolean,
    onReady: (what: number) => void,
    onEnd: (exited: boolean, status: number) => void,
  ): NativeProgram & {
    readonly recorded: readonly [output: number, errors: number];
    readonly accepted: number;
    readonly resume: (output: number, errors: number) => void;
    readonly end: (exited: boolean, status: number) => void;
  };
  /** See processes.ts. */
  takeLeftPipe(fd: number, onGone?: () => void): void;
}

const ways = ['output', 'errors', 'input'] as const;
const isBroken = 8;

/** Signals by their names, as this kernel numbers them. */
const signals: Readonly<Record<string, number | undefined>> = constants.signals;

type Listener = (what: ProgramStream | 'input') => void;

/** What the event loop calls of a program, and who wants to hear it. */
export interface Conversed {
  readonly ended: PromiseWithResolvers<ProcessEnd>;
  readonly onReady: (what: number) => void;
  readonly onEnd: (exited: boolean, status: number) => void;
  listener: Listener;
  kept: KeptProgram | undefined;
}

export function conversed(): Conversed {
  const ended = Promise.withResolvers<ProcessEnd>();
  const one: Conversed = {
    ended,
    listener: () => undefined,
    kept: undefined,
    onReady: (what) => {
      const way = ways[what];
      if (way !== undefined) one.listener(way);
      one.kept?.settle();
    },
    onEnd: (exited, status) => {
      one.kept?.ended(waitStatus({ exited, status }));
      if (status < 0) ended.reject(AgentError.failed('nobody can tell how the program has ended'));
      else ended.resolve(exited ? { exitCode: status } : { signal: status });
    },
  };
  return one;
}

export function programOf(native: NativeProgram, one: Conversed): TerminalProgram {
  const addon = nativeAddon() as ConversationAddon;
  /** Undefined for what is negative; at the end of a stream something may have been closed. */
  const told = (count: number): number | undefined => {
    if (count <= 0) one.kept?.settle();
    return count < 0 ? undefined : count;
  };
  return {
    pid: native.pid,
    read: (stream, into) => told(native.read(stream === 'output' ? 0 : 1, into)),
    write: (bytes) => told(native.write(bytes)),
    endInput: () => {
      native.endInput();
      one.kept?.settle();
    },
    onReady: (given) => {
      one.listener = given;
    },
    finished: one.ended.promise,
    signal: (signal, group) => {
      const number = typeof signal === 'number' ? signal : signals[`SIG${signal}`];
      if (number === undefined) throw posixError('EINVAL', { syscall: 'kill' });
      native.signal(number, group);
    },
    kill: native.kill,
    // What others still write goes nowhere, and they go on.
    release: () => native.letGo().forEach((fd, index) => addon.takeLeftPipe(fd, one.kept?.waste(fd, index))),
    resize: ({ rows, columns }) => native.resize(rows, columns),
    ...(one.kept === undefined ? {} : { kept: one.kept }),
  };
}

const prefix = 'program-talk-';
/** As which the next agent finds: ends of output, errors and input; their records; the pipe behind a terminal; what stands for the process. */
const places = ['output', 'errors', 'input', 'output-record', 'errors-record', 'input-record', 'out-of', 'into', 'process'] as const;
/** The texts, which are kept last: where they are, all is. */
const texts = 'texts';
/** The note comes first in the file, and is written at once: it lies within a page. */
const noteBytes = 1024;

const nameOf = (serial: number, place: string): string => `${prefix}${serial}-${place}`;

/** A program that the keeper knows, and what it holds of it. */
export class KeptProgram implements KeptConversation {
  readonly #kept: KeptDescriptors;
  readonly #serial: number;
  readonly #native: NativeProgram;
  readonly #names: Set<string>;
  readonly #texts: number;
  #isDropped = false;

  constructor(kept: KeptDescriptors, serial: number, native: NativeProgram, names: readonly string[], textFile: number) {
    this.#kept = kept;
    this.#serial = serial;
    this.#native = native;
    this.#names = new Set(names);
    this.#texts = textFile;
  }

  /** Has it kept. Undefined where that cannot be done. */
  static begin(kept: KeptDescriptors, native: NativeProgram, outlives: string): KeptProgram | undefined {
    if (native.descriptors.every((fd) => fd < 0)) return undefined;
    const textFile = keeperAddon().memoryFile(Buffer.from(' '.repeat(noteBytes) + outlives), 'conversation');
    const serial = kept.programs.begin(native.pid);
    const names: string[] = [];
    const keep = (place: string, fd: number): void => {
      if (fd < 0) return;
      kept.keep(nameOf(serial, place), 'plain', '', fd);
      names.push(nameOf(serial, place));
    };
    places.forEach((place, index) => keep(place, native.descriptors[index] ?? -1));
    keep(texts, textFile);
    return new KeptProgram(kept, serial, native, names, textFile);
  }

  get isWhole(): boolean {
    return !this.#isDropped && (this.#native.state() & isBroken) === 0;
  }

  note(text: string): void {
    if (!this.#isDropped) writeSync(this.#texts, text.padEnd(noteBytes), 0, 'latin1');
  }

  forget(stream: ProgramStream, offset: number): void {
    this.#native.forget(stream === 'output' ? 0 : 1, offset);
  }

  /** What was closed here is to be closed there: that is how the other end learns it. */
  settle(): void {
    if (this.#isDropped) return;
    const state = this.#native.state();
    if ((state & isBroken) !== 0) {
      this.drop();
      return;
    }
    ways.forEach((way, index) => {
      if ((state & (1 << index)) === 0) this.#dropOne(nameOf(this.#serial, way));
    });
  }

  ended(status: number): void {
    if (!this.#isDropped) this.#kept.programs.ended(this.#serial, status);
    this.#dropOne(nameOf(this.#serial, 'process'));
    this.settle();
  }

  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    this.#kept.programs.forget(this.#serial);
    for (const name of this.#names) void this.#kept.drop(name);
    closeSync(this.#texts);
  }

  /** Of a pipe that others still write to. Answers what is to be done when nobody does any more. */
  waste(fd: number, index: number): () => void {
    const name = `waste-${this.#serial}-${index}`;
    this.#kept.keep(name, 'waste', '', fd);
    return () => void this.#kept.drop(name);
  }

  #dropOne(name: string): void {
    if (this.#names.delete(name)) void this.#kept.drop(name);
  }
}

interface Taken {
  readonly left: LeftProgram;
  readonly fds: ReadonlyMap<string, number>;
}

/** What earlier agents have left of conversations, of all that they have left, by the keeper's numbers. To be called once. */
export function takeConversations(kept: KeptDescriptors, all: readonly LeftProgram[]): ReadonlyMap<number, Taken> {
  const found = new Map<number, Map<string, number>>();
  for (const { name, fd } of kept.takeAll(prefix)) {
    const [, serial = '', place = ''] = /^(\d+)-(.*)$/.exec(name.slice(prefix.length)) ?? [];
    const fds = found.get(Number(serial)) ?? new Map<string, number>();
    fds.set(place, fd);
    found.set(Number(serial), fds);
  }
  const programs = new Map(all.map((left) => [left.serial, left]));
  return new Map(Array.from(found, ([serial, fds]) => [serial, { left: programs.get(serial) ?? { serial, pid: 0, owner: '', status: undefined }, fds }]));
}

/** Goes on with those that are whole. The rest was never told of: their agent died while it handed them over. */
export function leftConversations(kept: KeptDescriptors, conversations: ReadonlyMap<number, Taken>): readonly LeftConversation[] {
  const running = new Map<number, (status: number) => void>();
  kept.programs.onEnded((serial, status) => running.get(serial)?.(status));
  return [...conversations.values()].toSorted((one, other) => one.left.serial - other.left.serial).flatMap(({ left, fds }) => {
    if (fds.has(texts) && left.pid > 0) return [leftOne(kept, left, fds, running)];
    kept.programs.forget(left.serial);
    for (const [place, fd] of fds) {
      closeSync(fd);
      void kept.drop(nameOf(left.serial, place));
    }
    return [];
  });
}

function leftOne(kept: KeptDescriptors, { serial, pid, status }: LeftProgram, fds: ReadonlyMap<string, number>, running: Map<number, (status: number) => void>): LeftConversation {
  const one = conversed();
  const native = (nativeAddon() as ConversationAddon).takeOverInteractive(pid, places.map((place) => fds.get(place) ?? -1), fds.has('out-of'), one.onReady, one.onEnd);
  const textFile = fds.get(texts) as number;
  one.kept = new KeptProgram(kept, serial, native, Array.from(fds.keys(), (place) => nameOf(serial, place)), textFile);
  const { note, outlives } = textsOf(textFile);
  const endAs = (how: number): void => {
    const { exited, status: told } = toldEnd(how);
    native.end(exited, told);
  };
  return {
    note,
    outlives,
    read: { output: native.recorded[0], errors: native.recorded[1] },
    written: native.accepted,
    resume: ({ output, errors }) => {
      native.resume(output, errors);
      if (status === undefined) running.set(serial, endAs);
      else endAs(status);
      return programOf(native, one);
    },
    drop: () => {
      for (const fd of native.letGo()) closeSync(fd);
      one.kept?.drop();
    },
  };
}

function textsOf(file: number): { readonly note: string; readonly outlives: string } {
  const bytes = Buffer.alloc(fstatSync(file).size);
  readSync(file, bytes, 0, bytes.length, 0);
  return { note: bytes.toString('latin1', 0, noteBytes).trim(), outlives: bytes.toString('utf8', noteBytes) };
}
