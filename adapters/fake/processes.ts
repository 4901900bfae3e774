// SPDX-License-Identifier: Apache-2.0
import { posixError } from '../../core/errors/posix-errno.ts';
import type { InteractivePrograms, LocatedProgram, ProcessEnd, Processes, ProgramRequest, RunningProcess, SpawnRequest } from '../../core/ports/index.ts';
import { settled, type FakeClock } from './clock.ts';
import type { UserDescription } from './accounts.ts';
import { fakeInteractive } from './interactive-programs.ts';
import type { FileTree } from './file-tree.ts';
import { placeOf } from './real-names.ts';
import { permits, type Credentials, type RegularFile } from './inodes.ts';

/** execvp(3) without a PATH. */
const defaultPath = '/bin:/usr/bin';
/** How long output is waited for after the end of a process, where another one holds its pipe. */
const graceMs = 250;
/** Linux's `MAX_ARG_STRLEN`, for one argument or variable. */
const maxArgument = 131_072;

type Stream = 'output' | 'errors';

export interface ProcessesOptions {
  readonly tree: FileTree;
  readonly clock: FakeClock;
  readonly who: Credentials;
  readonly workingDirectory: string;
  readonly environment: readonly string[];
  readonly firstPid: number;
  readonly users: () => readonly UserDescription[];
}

/** One process that was started, as the machine remembers it. */
export interface FakeProcess {
  readonly pid: number;
  readonly request: SpawnRequest | ProgramRequest;
  /** How it ended; undefined while it runs. */
  readonly end: ProcessEnd | undefined;
}

interface Entry {
  readonly pid: number;
  readonly request: SpawnRequest | ProgramRequest;
  end: ProcessEnd | undefined;
  readonly endWith: (end: ProcessEnd) => void;
}

/** The processes of the fake: programs are functions that lie in the file tree. */
export class FakeProcesses implements Processes {
  readonly canMerge = true;
  readonly interactive: Required<InteractivePrograms>;
  readonly #options: ProcessesOptions;
  readonly #table = new Map<number, Entry>();
  /** What the next agent finds, by process number. */
  readonly #outliving = new Map<number, RunningProcess>();
  #nextPid: number;

  constructor(options: ProcessesOptions) {
    this.#options = options;
    this.#nextPid = options.firstPid;
    this.interactive = fakeInteractive({
      ...options,
      executable: (path, argv, environment) => this.#program(path, argv, environment),
      register: (request, endWith) => {
        const entry: Entry = { pid: this.#takePid(), request, end: undefined, endWith };
        this.#table.set(entry.pid, entry);
        return {
          pid: entry.pid,
          ended: (end) => {
            entry.end = end;
            this.#forgetOldest();
          },
        };
      },
    });
  }

  /** Every process that was started and has not been forgotten, in order of starting. */
  get list(): readonly FakeProcess[] {
    return [...this.#table.values()];
  }

  get(pid: number): FakeProcess | undefined {
    return this.#table.get(pid);
  }

  /** Ends a running process by a signal. @throws `ESRCH` */
  signal(pid: number, signal: number): void {
    const entry = this.#table.get(pid);
    if (entry === undefined || entry.end !== undefined) throw posixError('ESRCH', { syscall: 'kill' });
    entry.endWith({ signal });
  }

  left(): readonly RunningProcess[] {
    return [...this.#outliving.values()];
  }

  async spawn(request: SpawnRequest): Promise<RunningProcess> {
    const environment = request.environment ?? this.#options.environment;
    return this.#run(this.#program(request.path, request.arguments, environment), request, environment);
  }

  #takePid(): number {
    this.#nextPid += 1;
    return this.#nextPid - 1;
  }

  #program(path: string, argv: readonly string[], environment: readonly string[]): RegularFile {
    for (const text of [path, ...argv, ...environment]) {
      if (Buffer.byteLength(text) >= maxArgument) throw posixError('E2BIG', { syscall: 'execve', path });
      if (text.includes('\0')) throw posixError('EINVAL', { syscall: 'execve', path });
    }
    return this.#executable(path, environment).file;
  }

  /** Distrusted where others than root may write to it; the directories on the way are taken as they are. */
  async locate(path: string, given: readonly string[] | undefined): Promise<LocatedProgram> {
    const { tree, who, workingDirectory } = this.#options;
    const { file, at } = this.#executable(path, given ?? this.#options.environment);
    const [name = at] = placeOf(tree, tree.look(at, { who, followLast: true, syscall: 'execve', from: workingDirectory })).names;
    return { path: name, ...(file.uid === 0 && (file.mode & 0o022) === 0 ? {} : { distrusted: `${name} can be written by others than root` }) };
  }

  /** The file that execvp(3) would run. */
  #executable(path: string, environment: readonly string[]): { readonly file: RegularFile; readonly at: string } {
    if (path.includes('/')) return { file: this.#file(path), at: path };
    const search = environment.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? defaultPath;
    let denied: unknown;
    for (const directory of path === '' ? [] : search.split(':')) {
      try {
        const at = `${directory === '' ? '.' : directory}/${path}`;
        return { file: this.#file(at), at };
      } catch (error) {
        // execvp(3) goes on after EACCES and reports it when nothing else was found.
        if (error instanceof Error && error.message === 'Permission denied') denied = error;
      }
    }
    if (denied instanceof Error) throw denied;
    throw posixError('ENOENT', { syscall: 'execve', path });
  }

  #file(path: string): RegularFile {
    const { tree, who, workingDirectory } = this.#options;
    const { inode } = tree.locate(path, { who, followLast: true, syscall: 'execve', from: workingDirectory });
    if (inode.kind !== 'file' || !permits(inode, who, 'execute')) throw posixError('EACCES', { syscall: 'execve', path });
    if (inode.program === undefined) throw posixError('ENOEXEC', { syscall: 'execve', path });
    return inode;
  }

  #run(file: RegularFile, request: SpawnRequest, environment: readonly string[]): RunningProcess {
    const { clock, workingDirectory } = this.#options;
    const pid = this.#takePid();
    const killed = new AbortController();
    const holders = new Set<object>();
    const { promise: ended, resolve: settle } = Promise.withResolvers<ProcessEnd>();
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    let listener: ((stream: Stream, bytes: Uint8Array) => void) | undefined;
    let closed = false;
    const recorded: (readonly [Stream, Uint8Array])[] = [];

    const entry: Entry = {
      pid,
      request,
      end: undefined,
      endWith: (end) => {
        if (entry.end !== undefined) return;
        entry.end = end;
        killed.abort();
        settle(end);
      },
    };
    this.#table.set(pid, entry);

    const emit = (stream: Stream, data: string | Uint8Array): void => {
      const wanted = stream === 'output' ? request.output : request.errors;
      if (wanted === 'discard' || closed || killed.signal.aborted || data.length === 0) return;
      // Merged errors go where standard output goes, and are discarded with it.
      if (wanted === 'merge' && request.output === 'discard') return;
      const piece = [wanted === 'merge' ? 'output' : stream, typeof data === 'string' ? Buffer.from(data) : data.slice()] as const;
      if (request.outlives === true) recorded.push(piece);
      listener?.(...piece);
    };

    const execute = async (): Promise<void> => {
      // The first piece must not come before the caller could set its listener.
      await settled();
      if (killed.signal.aborted) return;
      try {
        const unread = [request.input ?? new Uint8Array(0)].filter(({ length }) => length > 0);
        const result = await file.program?.({
          pid,
          argv: [request.path, ...request.arguments],
          environment,
          input: request.input ?? new Uint8Array(0),
          workingDirectory,
          killed: killed.signal,
          print: (data) => emit('output', data),
          complain: (data) => emit('errors', data),
          sleep: (ms) => clock.sleep(ms),
          leaveChild: () => {
            const holder = {};
            holders.add(holder);
            return () => {
              if (holders.delete(holder) && holders.size === 0) release();
            };
          },
          read: async () => unread.shift(),
          taken: async () => undefined,
          // guest-exec has no way to send one but the last.
          onSignal: () => undefined,
        });
        entry.endWith(typeof result === 'object' ? result : { exitCode: result ?? 0 });
      } catch {
        entry.endWith({ signal: 6 });
      }
    };
    void execute();

    const finish = async (): Promise<ProcessEnd> => {
      const end = await ended;
      if (holders.size > 0 && (request.output !== 'discard' || request.errors !== 'discard')) {
        const grace = Promise.withResolvers<void>();
        const timer = clock.after(graceMs, grace.resolve);
        await Promise.race([released, grace.promise]);
        timer.cancel();
      }
      closed = true;
      this.#forgetOldest();
      return end;
    };
    const running: RunningProcess = {
      pid,
      onOutput: (next) => {
        for (const piece of recorded) next(...piece);
        listener = next;
      },
      finished: finish(),
      ...(request.owner === undefined ? {} : { owner: request.owner }),
      needsNobody: request.output === 'discard' && request.errors === 'discard' && request.input === undefined,
      forget: () => {
        this.#outliving.delete(pid);
        recorded.length = 0;
      },
      kill: () => entry.endWith({ signal: 9 }),
    };
    if (request.outlives === true) this.#outliving.set(pid, running);
    return running;
  }

  /** A fake that runs for days remembers a thousand ended processes. */
  #forgetOldest(): void {
    if (this.#table.size <= 1000) return;
    const oldest = [...this.#table.values()].find(({ end }) => end !== undefined);
    if (oldest !== undefined) this.#table.delete(oldest.pid);
  }
}
