// SPDX-License-Identifier: Apache-2.0
import { constants } from 'node:os';
import { setImmediate } from 'node:timers';

import { AgentError } from '../../core/errors/agent-error.ts';
import { posixError } from '../../core/errors/posix-errno.ts';
import type { InteractiveProgram, InteractivePrograms, KeptConversation, LeftConversation, ProcessEnd, ProgramRequest, ProgramStream, TerminalProgram, TerminalSize } from '../../core/ports/index.ts';
import type { UserDescription } from './accounts.ts';
import { settled, type FakeClock } from './clock.ts';
import { FakeTerminal } from './fake-terminal.ts';
import type { FileTree } from './file-tree.ts';
import { permits, type Credentials, type RegularFile } from './inodes.ts';
import type { ProgramContext } from './program-context.ts';

/** What a pipe holds. */
const CAPACITY = 64 * 1024;

/** Signals that end no program by themselves. */
const harmless = new Set(['CHLD', 'CONT', 'URG', 'WINCH', 'STOP', 'TSTP', 'TTIN', 'TTOU']);

export interface InteractiveOptions {
  readonly tree: FileTree;
  readonly clock: FakeClock;
  readonly who: Credentials;
  readonly workingDirectory: string;
  readonly environment: readonly string[];
  readonly users: () => readonly UserDescription[];
  /** The file that execvp(3) would run. */
  readonly executable: (path: string, argv: readonly string[], environment: readonly string[]) => RegularFile;
  /** Notes a process that has started. */
  readonly register: (request: ProgramRequest, endWith: (end: ProcessEnd) => void) => { readonly pid: number; readonly ended: (end: ProcessEnd) => void };
}

/** The programs of the fake that are conversed with: the same functions, with streams. */
export function fakeInteractive(options: InteractiveOptions): Required<InteractivePrograms> {
  const outliving = new Set<LeftConversation>();
  const start = async (request: ProgramRequest, size?: TerminalSize): Promise<TerminalProgram> => {
    const program = new FakeProgram(options, request, size);
    if (request.outlives === undefined) return program;
    const kept = keptFake(program, request.outlives, () => void outliving.delete(kept));
    outliving.add(kept);
    return kept.program;
  };
  return { start, terminals: { start }, left: () => [...outliving] };
}

/** A program as this agent and the next ones have it: what was read of it can be read again. */
function keptFake(program: FakeProgram, outlives: string, gone: () => void): LeftConversation & { readonly program: TerminalProgram } {
  const records = { output: new FakeRecord(), errors: new FakeRecord() };
  let [note, written, isWhole] = ['', 0, true];
  const kept: KeptConversation = {
    get isWhole() {
      return isWhole;
    },
    note: (text) => {
      note = text;
    },
    forget: (stream, offset) => records[stream].forget(offset),
    drop: () => {
      isWhole = false;
      gone();
    },
  };
  const read = (stream: ProgramStream, into: Uint8Array): number | undefined => {
    const again = records[stream].next(into);
    if (again > 0) return again;
    const count = program.read(stream, into);
    if (count !== undefined) records[stream].add(into.slice(0, count));
    return count;
  };
  const write = (bytes: Uint8Array): number | undefined => {
    const count = program.write(bytes);
    written += count ?? 0;
    return count;
  };
  const whole: TerminalProgram = {
    pid: program.pid,
    finished: program.finished,
    kept, read, write,
    endInput: () => program.endInput(),
    onReady: (listener) => program.onReady(listener),
    signal: (signal) => program.signal(signal),
    resize: (size) => program.resize(size),
    kill: () => program.kill(),
    release: () => program.release(),
  };
  return {
    program: whole,
    outlives,
    get note() {
      return note;
    },
    get read() {
      return { output: records.output.end, errors: records.errors.end };
    },
    get written() {
      return written;
    },
    resume: (from) => {
      records.output.again(from.output);
      records.errors.again(from.errors);
      return whole;
    },
    drop: () => {
      kept.drop();
      program.signal('HUP');
    },
  };
}

/** What was read of a stream and is kept. */
class FakeRecord {
  #bytes = Buffer.alloc(0);
  /** Of its first byte in the stream. */
  #start = 0;
  #next = 0;

  get end(): number {
    return this.#start + this.#bytes.length;
  }

  add(bytes: Uint8Array): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    this.#next = this.end;
  }

  again(from: number): void {
    this.#next = from;
  }

  next(into: Uint8Array): number {
    const count = this.#bytes.copy(into, 0, this.#next - this.#start);
    this.#next += count;
    return count;
  }

  forget(before: number): void {
    this.#bytes = this.#bytes.subarray(before - this.#start);
    this.#start = before;
  }
}

/** Bytes on their way, a pipe's worth; told once when there are some again, or room. */
class FakePipe {
  #bytes: Uint8Array[] = [];
  #length = 0;
  #closed = false;
  #readable: (() => void) | undefined;
  #roomy: (() => void)[] = [];

  get room(): number {
    return Math.max(0, CAPACITY - this.#length);
  }

  get isFull(): boolean {
    return this.room === 0 && !this.#closed;
  }

  put(bytes: Uint8Array): void {
    if (this.#closed || bytes.length === 0) return;
    this.#bytes.push(bytes);
    this.#length += bytes.length;
    this.#tellReader();
  }

  close(): void {
    this.#closed = true;
    this.#tellReader();
    this.#tellWriters();
  }

  /** At most so many bytes of the first piece; none at the end; undefined where there are none yet. */
  take(most: number): Uint8Array | undefined {
    const [first] = this.#bytes;
    if (first === undefined) return this.#closed ? new Uint8Array(0) : undefined;
    const taken = first.subarray(0, most);
    if (taken.length === first.length) this.#bytes.shift();
    else this.#bytes[0] = first.subarray(taken.length);
    this.#length -= taken.length;
    if (this.room > 0) this.#tellWriters();
    return taken;
  }

  whenReadable(listener: () => void): void {
    this.#readable = listener;
  }

  whenRoomy(listener: () => void): void {
    this.#roomy.push(listener);
  }

  #tellReader(): void {
    const listener = this.#readable;
    this.#readable = undefined;
    listener?.();
  }

  #tellWriters(): void {
    for (const listener of this.#roomy.splice(0)) listener();
  }
}

/** In a turn of its own: a program that writes without end, and somebody who reads without end, leave others theirs. */
const later = (call: () => void): void => void setImmediate(call);

class FakeProgram implements TerminalProgram {
  readonly pid: number;
  readonly finished: Promise<ProcessEnd>;
  readonly #request: ProgramRequest;
  readonly #streams: Readonly<Record<ProgramStream, FakePipe>> = { output: new FakePipe(), errors: new FakePipe() };
  readonly #input = new FakePipe();
  readonly #terminal: FakeTerminal | undefined;
  readonly #killed = new AbortController();
  readonly #holders = new Set<object>();
  readonly #handlers = new Map<string, () => void>();
  readonly #settle: (end: ProcessEnd) => void;
  readonly #noted: (end: ProcessEnd) => void;
  #end: ProcessEnd | undefined;
  #inputEnded: boolean;
  #listener: Parameters<InteractiveProgram['onReady']>[0] = () => undefined;

  constructor(options: InteractiveOptions, request: ProgramRequest, size: TerminalSize | undefined) {
    const { environment, workingDirectory } = surroundingsOf(options, request);
    const file = options.executable(request.path, request.arguments, environment);
    const { promise, resolve } = Promise.withResolvers<ProcessEnd>();
    this.finished = promise;
    this.#settle = resolve;
    this.#request = request;
    const registered = options.register(request, (end) => this.#endWith(end));
    this.pid = registered.pid;
    this.#noted = registered.ended;
    this.#inputEnded = size === undefined && request.stdin === 'none';
    if (this.#inputEnded) this.#input.close();
    if (request.errors === 'merge' || size !== undefined) this.#streams.errors.close();
    if (size !== undefined) {
      this.#terminal = new FakeTerminal(size, {
        toProgram: (bytes) => (bytes === undefined ? this.#input.close() : this.#input.put(bytes)),
        toHost: (bytes) => this.#streams.output.put(bytes),
        signal: (name) => this.#deliver(name),
      });
    }
    void this.#execute(file, options, environment, workingDirectory);
  }

  read(stream: ProgramStream, into: Uint8Array): number | undefined {
    const pipe = this.#streams[stream];
    const taken = pipe.take(into.length);
    if (taken === undefined) {
      pipe.whenReadable(() => later(() => this.#listener(stream)));
      return undefined;
    }
    into.set(taken);
    return taken.length;
  }

  write(bytes: Uint8Array): number | undefined {
    if (this.#inputEnded || this.#end !== undefined) return undefined;
    const taken = bytes.slice(0, this.#input.room);
    if (this.#terminal === undefined) this.#input.put(taken);
    else this.#terminal.type(taken);
    if (taken.length < bytes.length) this.#input.whenRoomy(() => later(() => this.#listener('input')));
    return taken.length;
  }

  endInput(): void {
    if (this.#inputEnded) return;
    this.#inputEnded = true;
    if (this.#terminal === undefined) this.#input.close();
    else this.#terminal.end();
  }

  onReady(listener: Parameters<InteractiveProgram['onReady']>[0]): void {
    this.#listener = listener;
  }

  signal(signal: string | number): void {
    if (this.#end !== undefined) throw posixError('ESRCH', { syscall: 'kill' });
    const name = typeof signal === 'string' ? signal : nameOf(signal);
    if (name === undefined || numberOf(name) === undefined) throw posixError('EINVAL', { syscall: 'kill' });
    this.#deliver(name);
  }

  resize(size: TerminalSize): void {
    this.#terminal?.resize(size);
  }

  kill(): void {
    this.#endWith({ signal: 9 });
  }

  release(): void {
    for (const pipe of Object.values(this.#streams)) pipe.close();
  }

  #deliver(name: string): void {
    const own = name === 'KILL' ? undefined : this.#handlers.get(name);
    if (own !== undefined) own();
    else if (!harmless.has(name)) this.#endWith({ signal: numberOf(name) ?? 0 });
  }

  #endWith(end: ProcessEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#killed.abort();
    this.#input.close();
    this.#closeStreams();
    this.#noted(end);
    this.#settle(end);
  }

  /** Nobody holds them any more: neither the program, nor what it has left behind. */
  #closeStreams(): void {
    if (this.#end === undefined || this.#holders.size > 0) return;
    for (const pipe of Object.values(this.#streams)) pipe.close();
  }

  #print(stream: ProgramStream, data: string | Uint8Array): void {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data.slice();
    if (this.#end !== undefined && this.#holders.size === 0) return;
    if (this.#terminal !== undefined) this.#terminal.show(bytes);
    else this.#streams[this.#request.errors === 'merge' ? 'output' : stream].put(bytes);
  }

  #whenTaken(): Promise<void> {
    const full = Object.values(this.#streams).find((pipe) => pipe.isFull);
    return full === undefined ? Promise.resolve() : new Promise((resolve) => { full.whenRoomy(resolve); });
  }

  async #nextInput(): Promise<Uint8Array | undefined> {
    for (let piece = this.#input.take(CAPACITY); ; piece = this.#input.take(CAPACITY)) {
      if (piece !== undefined) return piece.length === 0 ? undefined : piece;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#input.whenReadable(resolve);
      // oxlint-disable-next-line no-await-in-loop -- it comes when it comes
      await promise;
    }
  }

  async #execute(file: RegularFile, { clock }: InteractiveOptions, environment: readonly string[], workingDirectory: string): Promise<void> {
    // The first piece must not come before the caller could set its listener.
    await settled();
    if (this.#end !== undefined) return;
    const context: ProgramContext = {
      pid: this.pid,
      argv: [this.#request.path, ...this.#request.arguments],
      environment,
      input: new Uint8Array(0),
      workingDirectory,
      killed: this.#killed.signal,
      print: (data) => this.#print('output', data),
      complain: (data) => this.#print('errors', data),
      sleep: (ms) => clock.sleep(ms),
      leaveChild: () => {
        const holder = {};
        this.#holders.add(holder);
        return () => {
          this.#holders.delete(holder);
          this.#closeStreams();
        };
      },
      read: () => this.#nextInput(),
      taken: () => this.#whenTaken(),
      onSignal: (name, handler) => void this.#handlers.set(name, handler),
      ...(this.#terminal === undefined ? {} : { terminal: this.#terminal }),
    };
    try {
      const result = await file.program?.(context);
      this.#endWith(typeof result === 'object' ? result : { exitCode: result ?? 0 });
    } catch {
      this.#endWith({ signal: 6 });
    }
  }
}

const numberOf = (name: string): number | undefined => (constants.signals as Readonly<Record<string, number>>)[`SIG${name}`];
const nameOf = (number: number): string | undefined =>
  Object.entries(constants.signals).find(([, one]) => one === number)?.[0].slice('SIG'.length);

/** Environment and working directory of a program, and whether it may be there. */
function surroundingsOf({ tree, who, workingDirectory, environment, users }: InteractiveOptions, request: ProgramRequest): { readonly environment: readonly string[]; readonly workingDirectory: string } {
  const user = request.user === undefined ? undefined : users().find(({ name }) => name === request.user);
  if (request.user !== undefined && user === undefined) throw AgentError.failed(`the user '${request.user}' does not exist`);
  for (const group of request.groups ?? []) {
    if (!users().some(({ name }) => name === group)) throw AgentError.failed(`the group '${group}' does not exist`);
  }
  if (user !== undefined && who.uid !== 0 && user.uid !== who.uid) throw posixError('EPERM', { syscall: 'setuid' });
  if (request.groups !== undefined && who.uid !== 0) throw posixError('EPERM', { syscall: 'setgroups' });
  const own: Credentials = user === undefined ? who : { uid: user.uid, gid: user.gid, groups: [] };
  const directory = request.workingDirectory;
  if (directory !== undefined) {
    const { inode } = tree.locate(directory, { who: own, followLast: true, syscall: 'chdir', from: workingDirectory });
    if (inode.kind !== 'directory') throw posixError('ENOTDIR', { syscall: 'chdir', path: directory });
    if (!permits(inode, own, 'execute')) throw posixError('EACCES', { syscall: 'chdir', path: directory });
  }
  const variables = new Map(environment.map((entry) => pairOf(entry)));
  if (user !== undefined) {
    for (const [name, value] of [['HOME', user.home], ['USER', user.name], ['LOGNAME', user.name], ['SHELL', '/bin/sh']] as const) variables.set(name, value);
  }
  for (const change of request.environmentChanges) {
    const [name, value] = pairOf(change);
    if (change.includes('=')) variables.set(name, value);
    else variables.delete(name);
  }
  return { environment: Array.from(variables, ([name, value]) => `${name}=${value}`), workingDirectory: directory ?? workingDirectory };
}

const pairOf = (entry: string): readonly [string, string] => {
  const at = entry.indexOf('=');
  return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
};
