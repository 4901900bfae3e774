// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { connect, type Socket } from 'node:net';

/** How long an agent may take for one line before it counts as not coming, in milliseconds. */
const LINE_MS = 30_000;

let lastId = 880_000;

/** A host's end of a channel: bytes out, lines in. */
export class LineClient {
  readonly #socket: Socket;
  readonly #lines: Buffer[] = [];
  #rest: Buffer[] = [];
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    const end = (): void => {
      this.#ended = true;
      this.#wake?.();
    };
    socket.on('end', end);
    socket.on('close', end);
    // Whoever waits for a line is told by the end that follows.
    socket.on('error', () => {});
  }

  static async open(path: string): Promise<LineClient> {
    const socket = connect({ path, allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new LineClient(socket);
  }

  #take(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      this.#lines.push(Buffer.concat([...this.#rest, chunk.subarray(from, end)]));
      this.#rest = [];
      from = end + 1;
    }
    if (from < chunk.length) this.#rest.push(chunk.subarray(from));
    this.#wake?.();
  }

  send(bytes: Uint8Array | string): void {
    this.#socket.write(bytes);
  }

  /** The next line without its line feed; `undefined` once the agent has closed. @throws when none comes in time */
  async line(): Promise<Buffer | undefined> {
    const deadline = setTimeout(() => {
      this.#wake?.();
    }, LINE_MS).unref();
    const until = Date.now() + LINE_MS;
    while (this.#lines.length === 0 && !this.#ended) {
      if (Date.now() >= until) throw new Error(`no line came; so far of the next: ${Buffer.concat(this.#rest).toString('latin1').slice(0, 200)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    clearTimeout(deadline);
    return this.#lines.shift();
  }

  /** The next line as text, latin-1. */
  async text(): Promise<string | undefined> {
    return (await this.line())?.toString('latin1');
  }

  /** Sends one request and gives the one line that answers it. */
  async ask(request: Uint8Array | string): Promise<string> {
    this.send(request);
    return (await this.text()) ?? '(closed)';
  }

  /** The result of a command. @throws for an error reply */
  async call(execute: string, args?: object): Promise<unknown> {
    const answer = JSON.parse(await this.ask(`${JSON.stringify({ execute, arguments: args })}\n`)) as { return?: unknown; error?: { desc: string } };
    if (answer.error !== undefined) throw new Error(`${execute}: ${answer.error.desc}`);
    return answer.return;
  }

  /**
   * Sends the bytes and after them a sentinel with a guest-sync-delimited; every line up to the marked answer. What the
   * agent has to say to the bytes is then complete, and nothing of it is left for the next exchange.
   */
  async exchange(bytes: Uint8Array, sync = LineClient.sync()): Promise<Buffer[]> {
    this.send(bytes);
    this.send(sync.request);
    const lines: Buffer[] = [];
    for (let line = await this.line(); line !== undefined; line = await this.line()) {
      lines.push(line);
      if (line.toString('latin1', 0, 200) === sync.answer) break;
    }
    return lines;
  }

  static sync(id = (lastId += 1)): { readonly request: Buffer; readonly answer: string } {
    return {
      request: Buffer.concat([Buffer.of(0xff), Buffer.from(`{"execute":"guest-sync-delimited","arguments":{"id":${id}}}\n`)]),
      answer: `\xff{"return": ${id}}`,
    };
  }

  /** Nothing more will be sent; what comes can still be read. */
  halfClose(): void {
    this.#socket.end();
  }

  /** Reads nothing until `resume`: a slow host. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  get ended(): boolean {
    return this.#ended;
  }

  close(): void {
    this.#socket.destroy();
  }
}
