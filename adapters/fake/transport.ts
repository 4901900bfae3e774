// SPDX-License-Identifier: Apache-2.0
import type { Connection, ConnectionSink, Transport } from '../../core/ports/index.ts';

export interface FakeTransportOptions {
  readonly description?: string;
  /** Bytes that may wait for a host that does not read before `write` answers false; default 64 KiB. */
  readonly highWater?: number;
}

const lineFeed = 0x0a;

/** The host's end of a connection in memory. */
export class FakeHostEnd {
  /**
   * Whole lines that came, without their line feed, one character for each byte: answers are ASCII, and the 0xFF in
   * front of a delimited one is `\xff`.
   */
  readonly received: string[] = [];
  /** Whether the agent's end outlives this one when the guest is restored, as on vsock. */
  readonly endsWithGeneration: boolean;
  /** By which agents know it again. */
  readonly keptAs: string;
  readonly #highWater: number;
  readonly #waiting: ((line: string | undefined) => void)[] = [];
  readonly #arriving: Uint8Array[] = [];
  #taken = 0;
  #partial: Uint8Array = new Uint8Array(0);
  #sink: ConnectionSink | undefined;
  #paused = false;
  #stalled = false;
  #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #owesDrain = false;
  #closed = false;
  /** Agents that have served it; what an earlier one still does goes nowhere. */
  #lives = 0;
  readonly #stirred: () => void;

  /** `stirred` is called when there is something for an agent to read and none that reads. */
  constructor(highWater: number, stirred: () => void, endsWithGeneration: boolean, keptAs: string) {
    this.endsWithGeneration = endsWithGeneration;
    this.keptAs = keptAs;
    this.#highWater = highWater;
    this.#stirred = stirred;
  }

  /** The agent has closed the connection, or this end has. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Bytes that the agent wrote and this end has not read. */
  get unreadBytes(): number {
    return this.#unreadBytes;
  }

  /** Bytes after the last line feed. */
  get partial(): Uint8Array {
    return this.#partial;
  }

  /** Sends to the agent; the bytes arrive in one piece, or in pieces of `pieceSize`. */
  send(data: string | Uint8Array, pieceSize = Infinity): void {
    if (this.#closed) throw new Error('the connection is closed');
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    for (let at = 0; at < bytes.length; at += pieceSize) this.#arriving.push(bytes.slice(at, Math.min(bytes.length, at + pieceSize)));
    if (this.#sink === undefined) this.#stirred();
    this.#deliverSoon();
  }

  /** No agent is at the other end any more: what is sent waits for the next one. */
  letGo(): void {
    this.#lives += 1;
    this.#sink = undefined;
    this.#paused = this.#owesDrain = false;
  }

  /** Something waits for an agent. */
  get hasInput(): boolean {
    return this.#arriving.length > 0;
  }

  /** The next line that has not been asked for. @throws Error when the connection is closed before it comes */
  async nextLine(): Promise<string> {
    const ready = this.received[this.#taken];
    const line = ready ?? (this.#closed ? undefined : await new Promise<string | undefined>((resolve) => void this.#waiting.push(resolve)));
    if (line === undefined) throw new Error('the connection was closed before another line came');
    if (ready !== undefined) this.#taken += 1;
    return line;
  }

  /** Stops reading: what the agent writes stays on its side. */
  stall(): void {
    this.#stalled = true;
  }

  resume(): void {
    this.#stalled = false;
    this.#read();
  }

  /** Another host takes over the channel, as on a serial port: what was sent and not read is lost on both sides. `seen`: the system says so. */
  changeHost(seen?: true): void {
    this.#partial = new Uint8Array(0);
    this.#unread = [];
    this.#unreadBytes = 0;
    this.#arriving.length = 0;
    this.#owesDrain = false;
    this.#sink?.hostChanged(seen);
  }

  /** The host is away for a moment, as when another one takes its place on a port at once. Nothing is lost. */
  miss(): void {
    this.#sink?.hostMissed?.();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
    queueMicrotask(() => {
      this.#deliver();
      this.#sink?.closed();
      this.#sink = undefined;
    });
  }

  /** The agent's end, for as long as it is the agent's. */
  connection(): Connection {
    const life = this.#lives;
    const mine = (): boolean => life === this.#lives;
    const end = this.#end;
    return {
      endsWithGeneration: this.endsWithGeneration,
      keptAs: this.keptAs,
      start: (sink) => end.start(sink),
      write: (data) => !mine() || end.write(data),
      pause: () => (mine() ? end.pause() : undefined),
      resume: () => (mine() ? end.resume() : undefined),
      close: () => (mine() ? end.close() : undefined),
    };
  }

  readonly #end: Connection = {
    start: (sink) => {
      if (this.#sink !== undefined) throw new Error('a connection is started once');
      this.#sink = sink;
      this.#deliverSoon();
    },
    write: (data) => {
      if (this.#closed) return true;
      const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data.slice();
      this.#unread.push(bytes);
      this.#unreadBytes += bytes.length;
      this.#read();
      if (this.#unreadBytes <= this.#highWater) return true;
      this.#owesDrain = true;
      return false;
    },
    pause: () => {
      this.#paused = true;
    },
    resume: () => {
      this.#paused = false;
      this.#deliverSoon();
    },
    close: () => this.close(),
  };

  #deliverSoon(): void {
    queueMicrotask(() => this.#deliver());
  }

  #deliver(): void {
    while (!this.#paused && this.#sink !== undefined) {
      const piece = this.#arriving.shift();
      if (piece === undefined) return;
      this.#sink.data(piece);
      // The sink's only during the call: whoever keeps it sees zeros.
      piece.fill(0);
    }
  }

  #read(): void {
    if (this.#stalled || this.#unread.length === 0) return;
    let rest: Uint8Array = Buffer.concat([this.#partial, ...this.#unread]);
    this.#unread = [];
    this.#unreadBytes = 0;
    for (let end = rest.indexOf(lineFeed); end >= 0; end = rest.indexOf(lineFeed)) {
      this.#take(Buffer.from(rest.subarray(0, end)).toString('latin1'));
      rest = rest.subarray(end + 1);
    }
    this.#partial = rest;
    if (!this.#owesDrain) return;
    this.#owesDrain = false;
    queueMicrotask(() => this.#sink?.drained());
  }

  #take(line: string): void {
    this.received.push(line);
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return;
    this.#taken += 1;
    waiting(line);
  }
}

/** A transport in memory, and the hosts that come through it. */
export class FakeTransport implements Transport {
  readonly description: string;
  readonly lost: Promise<Error>;
  readonly #highWater: number;
  readonly #lose: (error: Error) => void;
  readonly #hosts = new Set<FakeHostEnd>();
  /** Called when a host says something, or comes, while no agent serves. */
  onInput: (() => void) | undefined;
  #isHandedOver = false;
  #count = 0;
  #connected: ((connection: Connection) => void) | undefined;

  constructor(options: FakeTransportOptions = {}) {
    this.description = options.description ?? 'fake';
    this.#highWater = options.highWater ?? 65_536;
    const { promise, resolve } = Promise.withResolvers<Error>();
    this.lost = promise;
    this.#lose = resolve;
  }

  get isOpen(): boolean {
    return this.#connected !== undefined;
  }

  async open(connected: (connection: Connection) => void): Promise<void> {
    this.#connected = connected;
    this.#isHandedOver = false;
    for (const host of this.#hosts) if (!host.isClosed) connected(host.connection());
  }

  /** A host comes; one that comes while an agent has handed the transport over waits for the next. @throws Error while it is not open */
  connect({ endsWithGeneration = false }: { readonly endsWithGeneration?: boolean } = {}): FakeHostEnd {
    if (this.#connected === undefined && !this.#isHandedOver) throw new Error('the transport is not open: no agent serves it');
    const host = new FakeHostEnd(this.#highWater, () => this.onInput?.(), endsWithGeneration, `host-${this.#count}`);
    this.#count += 1;
    this.#hosts.add(host);
    if (this.#connected === undefined) this.onInput?.();
    else this.#connected(host.connection());
    return host;
  }

  canHandOver(): boolean {
    return this.#connected !== undefined && [...this.#hosts].every(({ unreadBytes }) => unreadBytes === 0);
  }

  handOver(): boolean {
    if (!this.canHandOver()) return false;
    this.abandon();
    return true;
  }

  /** The agent is gone, and the transport is still there: hosts notice nothing. What waits in it is for the next agent. */
  abandon(): void {
    this.#connected = undefined;
    this.#isHandedOver = true;
    for (const host of this.#hosts) host.letGo();
  }

  /** Something waits that a host has said while no agent served. */
  get hasInput(): boolean {
    return [...this.#hosts].some(({ hasInput }) => hasInput);
  }

  /** The channel goes away for good, as when its device is unplugged. */
  lose(error = new Error('the device is gone')): void {
    this.#dropHosts();
    this.#connected = undefined;
    this.#lose(error);
  }

  async close(): Promise<void> {
    this.#dropHosts();
    this.#connected = undefined;
  }

  #dropHosts(): void {
    for (const host of this.#hosts) host.close();
    this.#hosts.clear();
  }
}
