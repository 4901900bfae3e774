// SPDX-License-Identifier: Apache-2.0
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const keeperPath = join(import.meta.dirname, '../../../build/Release/concierge-keeper');
const serviceManager = join(import.meta.dirname, 'service-manager.py');
const scriptedAgent = join(import.meta.dirname, 'scripted-agent.py');

/** Not what only starts another one, such as the shims of pyenv. */
const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)']).toString().trim();

/** What the scripted agent tells of itself when it starts. */
export interface Greeting {
  readonly pid: number;
  readonly parent: number;
  readonly notify: string | null;
  readonly listen: readonly (string | null)[];
  readonly blocked: boolean;
}

type Word = Readonly<Record<string, unknown>>;

/** What comes and is asked for, whichever is first. */
class Queue<T> {
  readonly #items: T[] = [];
  readonly #waiting: ((item: T) => void)[] = [];

  push(item: T): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#items.push(item);
    else waiting(item);
  }

  next(): Promise<T> {
    const item = this.#items.shift();
    return item === undefined ? new Promise((resolve) => void this.#waiting.push(resolve)) : Promise.resolve(item);
  }

  get length(): number {
    return this.#items.length;
  }
}

/** One life of a scripted agent. */
export class ScriptedAgent {
  readonly greeting: Greeting;
  readonly ended: Promise<void>;
  readonly #socket: Socket;
  readonly #heard = new Queue<string>();
  readonly #words = new Queue<Word>();

  constructor(greeting: Greeting, socket: Socket, lines: AsyncIterator<string>) {
    this.greeting = greeting;
    this.#socket = socket;
    // One that is killed with an order unread resets its conversation, and readline passes that on: an end like any other.
    this.ended = this.#collect(lines).catch(() => undefined);
  }

  async #collect(lines: AsyncIterator<string>): Promise<void> {
    for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
      const word = JSON.parse(line.value) as Word;
      if (typeof word['got'] === 'string') this.#heard.push(word['got']);
      else this.#words.push(word);
    }
  }

  /** The next thing that it says of its own. */
  next(): Promise<Word> {
    return this.#words.next();
  }

  /** What the keeper says next. */
  heard(): Promise<string> {
    return this.#heard.next();
  }

  /** All that the keeper tells at the start, without the `go` at its end. */
  async told(): Promise<readonly string[]> {
    const all: string[] = [];
    for (let text = await this.heard(); text !== 'go'; text = await this.heard()) all.push(text);
    return all;
  }

  order(what: Word): void {
    this.#socket.write(`${JSON.stringify(what)}\n`);
  }

  /** Sends a message to the keeper, with descriptors that are opened for it. */
  async send(text: string, ...given: readonly (readonly [how: string, path: string])[]): Promise<void> {
    this.order({ do: 'send', text, with: given });
    await this.done();
  }

  async done(): Promise<void> {
    for (;;) if ('done' in (await this.next())) return;
  }

  async read(name: string, how: 'read' | 'content' = 'read'): Promise<unknown> {
    this.order({ do: how, name });
    for (;;) {
      const word = await this.next();
      if ('read' in word) return word['read'];
    }
  }

  /** Greets, and has been told everything. */
  async greet(): Promise<this> {
    await this.send('agent 1 test');
    return this;
  }

  /** Says `sleep` and ends. */
  async sleep(): Promise<void> {
    this.order({ do: 'send', text: 'sleep' });
    // It may have been needed again, and been ended, before this.
    this.order({ do: 'exit', status: 0 });
    await this.ended;
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    process.kill(this.greeting.pid, signal);
  }
}

/** A keeper with scripted agents. */
export class KeeperLab {
  readonly directory = mkdtempSync(join(tmpdir(), 'keeper-'));
  readonly #agents = new Queue<ScriptedAgent>();
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #keeper: ChildProcess | undefined;
  /** Lines of its standard error. */
  readonly said: string[] = [];

  private constructor() {
    this.#server = createServer((socket) => void this.#meet(socket));
  }

  static async begin(): Promise<KeeperLab> {
    const lab = new KeeperLab();
    lab.#server.listen(lab.path('test.sock'));
    await once(lab.#server, 'listening');
    return lab;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** `program`: the keeper itself, where it is to be another file than the one that was built. */
  start({ environment = {}, limit, program = keeperPath }: { readonly environment?: NodeJS.ProcessEnv; readonly limit?: number; readonly program?: string } = {}): ChildProcess {
    const words = ['--', python, '-S', '-E', scriptedAgent, this.path('test.sock')];
    const keeper = spawn(...this.#command(program, words, limit), { stdio: ['ignore', 'inherit', 'pipe'], env: { PATH: process.env['PATH'], ...environment } });
    createInterface({ input: keeper.stderr as NodeJS.ReadableStream }).on('line', (line) => this.said.push(line));
    this.#keeper = keeper;
    return keeper;
  }

  /** As the only service of a manager: what that tells, and whom to order something (service-manager.py). */
  startAsService(): ChildProcess {
    const words = [serviceManager, this.path('notify.sock'), keeperPath, '--', python, '-S', '-E', scriptedAgent, this.path('test.sock')];
    this.#keeper = spawn(python, words, { stdio: ['pipe', 'pipe', 'inherit'], env: { PATH: process.env['PATH'] } });
    return this.#keeper;
  }

  #command(program: string, words: readonly string[], limit: number | undefined): [string, string[]] {
    return limit === undefined ? [program, [...words]] : ['prlimit', [`--nofile=${limit}:${limit}`, program, ...words]];
  }

  get keeper(): ChildProcess {
    if (this.#keeper === undefined) throw new Error('the keeper has not been started');
    return this.#keeper;
  }

  async #meet(socket: Socket): Promise<void> {
    socket.on('error', () => undefined);
    this.#sockets.add(socket);
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
    const first = await lines.next();
    if (first.done === true) return;
    this.#agents.push(new ScriptedAgent(JSON.parse(first.value) as Greeting, socket, lines));
  }

  /** The next agent that the keeper starts. */
  next(): Promise<ScriptedAgent> {
    return this.#agents.next();
  }

  /** How many agents were started and not asked for. */
  get unexpected(): number {
    return this.#agents.length;
  }

  /** The keeper's end: its status, or the signal that ended it. */
  async ended(): Promise<number | string | null> {
    const { keeper } = this;
    if (keeper.exitCode === null && keeper.signalCode === null) await once(keeper, 'exit');
    return keeper.exitCode ?? keeper.signalCode;
  }

  async end(): Promise<void> {
    this.#keeper?.kill('SIGKILL');
    this.#server.close();
    // A scripted agent ends with its conversation.
    for (const socket of this.#sockets) socket.destroy();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
