// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { EventEmitter } from 'node:events';
import { Readable, Writable } from 'node:stream';

import { ClientError } from './client-error.ts';
import { ahead, canHurry, withBytes, type CallOptions, type GuestClient } from './guest-client.ts';
import { HeldCall } from './held-call.ts';
import { ProgramPlace, type Asked, type Exchanged, type ExchangeAnswer, type StreamName, type StreamNews } from './program-place.ts';
import { nameOfSignal, signalArgument } from './signal-names.ts';
import { Wakeable } from './wakeable.ts';

const USUAL_PIECE = 64 * 1024;
/** What an exchange carries at most in each direction. */
const LARGEST_PIECE = 1024 * 1024;
/** On a connection of one's own: another exchange ends the wait. Short enough that an answer which was lost is soon missed. */
const LONG_WAIT_MS = 2000;
/** Where requests are passed on, others wait meanwhile, and so does the next key. */
const SHARED_WAIT_MS = 200;
/** Answers that may be lost in a row. */
const MOST_LOST = 3;
/** How often it is asked for within the time after which an agent hangs it up. */
const ASKED_FOR = 4;
/** Typed before the program has taken it. */
const TYPED_AHEAD = USUAL_PIECE;

const EXCHANGE = '__org.concierge_exec-exchange';
const NOTHING = Buffer.alloc(0);

/** One exchange as it is asked for, as often as that takes. */
interface Request extends Asked {
  readonly args: Readonly<Record<string, unknown>>;
  readonly place: ProgramPlace;
  /** Its output is not taken, and will be asked for again. */
  readonly isFull: boolean;
  readonly waitMs: number | undefined;
}

/** How many programs are talked with by each client: where they are several, none may hold the others up. */
const talks = new WeakMap<GuestClient, number>();

export interface ProcessShape {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly isTerminal: boolean;
  /** False for one that somebody else has started. */
  readonly isNew: boolean;
  readonly call: CallOptions;
  readonly reconnect?: (() => Promise<GuestClient>) | undefined;
  readonly resumeForMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly killSignal: string | number;
  readonly unattendedLimitMs?: number | undefined;
}

export interface GuestProcessEvents {
  /** It runs: `pid` and `program` are known. */
  spawn: [];
  /** It has ended; what others that it has started write may still come. */
  exit: [code: number | null, signal: string | null];
  /** All is over, and all that it wrote was read. */
  close: [code: number | null, signal: string | null];
  /** It could not be started, the conversation was lost or given up, or a signal could not be sent: a ClientError. */
  error: [error: Error];
  /** The connection is lost or the agent silent, and is taken up again if that is possible. */
  interrupted: [error: Error];
  resumed: [];
  /** Bytes that the agent keeps no more: of a program that does not wait for its readers. */
  lost: [stream: 'stdout' | 'stderr', bytes: number];
}

/** A program in the guest, as Node's ChildProcess has one. Made by `spawn`, `terminal` and `attach`. */
export class GuestProcess extends EventEmitter<GuestProcessEvents> {
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** In the guest; absent before `spawn`. */
  pid: number | undefined;
  /** Its number in the agent's commands: with it another host goes on (`attach`). */
  program: bigint | undefined;
  exitCode: number | null = null;
  signalCode: string | null = null;
  /** The number of that signal in the guest. */
  signalNumber: number | null = null;
  /** It was ended because its time was over. */
  timedOut = false;
  killed = false;

  #client: GuestClient;
  readonly #shape: ProcessShape;
  #place: ProgramPlace | undefined;
  readonly #wake = new Wakeable();
  #held: { readonly call: HeldCall; readonly request: Request } | undefined;
  /** Sent already: the exchange behind the one that is held. */
  #ahead: { readonly request: Request; readonly held: HeldCall } | undefined;
  #input: Buffer = NOTHING;
  #taken: ((error?: Error) => void) | undefined;
  #inputEnds: (() => void) | undefined;
  #inputIsOver = false;
  readonly #full = new Set<Readable>();
  readonly #endedStreams = new Set<Readable>();
  #size = USUAL_PIECE;
  /** Grows while nothing happens. */
  #waitMs = 1;
  /** The last answer was held back by the agent, or hurried. */
  #hasWaited = false;
  #hasExited = false;
  #isOver = false;
  #brokenSince: number | undefined;
  #lostAnswers = 0;
  /** Clients that it got by `reconnect`. */
  readonly #own: GuestClient[] = [];
  readonly #abort = (): void => this.#giveUp();

  /** @param start answers which one it is */
  constructor(client: GuestClient, shape: ProcessShape, start: () => Promise<{ readonly program: bigint; readonly pid?: bigint }>) {
    super();
    this.#client = client;
    this.#shape = shape;
    this.stdin = shape.stdin ? this.#writable() : null;
    this.stdout = shape.stdout ? this.#readable() : null;
    this.stderr = shape.stderr ? this.#readable() : null;
    shape.signal?.addEventListener('abort', this.#abort, { once: true });
    void this.#run(start);
  }

  /**
   * Sends a signal, SIGTERM without one, to the program or to its process group; on a terminal that is the one in the foreground. False: it does not run (any more).
   * What goes wrong is an `error` event, but for a program that has ended meanwhile.
   */
  kill(signal: string | number = 'SIGTERM', { group = false }: { readonly group?: boolean } = {}): boolean {
    const { program } = this;
    if (program === undefined || this.#hasExited || this.#isOver) return false;
    this.killed = true;
    this.#client.execute('__org.concierge_exec-signal', { program, signal: signalArgument(signal) as 'TERM', ...(group ? { group } : {}) }, this.#shape.call).catch((error: unknown) => {
      if (!this.#hasExited && !this.#isOver && !(ClientError.is(error) && error.message.endsWith(' has ended'))) this.emit('error', error as Error);
    });
    return true;
  }

  /** Gives its terminal another size. @throws ClientError `refused` where it has none */
  async resize(rows: number, columns: number): Promise<void> {
    const { program } = this;
    if (program !== undefined) await this.#client.execute('__org.concierge_exec-resize', { program, rows, columns }, this.#shape.call);
  }

  /** Ends the conversation and leaves the program as it is. */
  detach(): void {
    this.#end();
  }

  [Symbol.dispose](): void {
    this.detach();
  }

  async #run(start: () => Promise<{ readonly program: bigint; readonly pid?: bigint }>): Promise<void> {
    // Listeners come first.
    await Promise.resolve();
    try {
      if (this.#isGivenUp) throw new ClientError('aborted', 'the program was given up', { cause: this.#shape.signal?.reason });
      const { program, pid } = await start();
      this.program = program;
      this.pid = pid === undefined ? undefined : Number(pid);
      this.#place = new ProgramPlace(program, this.#shape.isNew);
      // Given up while it was started: nobody else knows its number.
      if (this.#isGivenUp) this.#giveUp();
      this.emit('spawn');
      await this.#converse(this.#place);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  async #converse(place: ProgramPlace): Promise<void> {
    let talksWith = this.#client;
    count(talksWith, 1);
    try {
      while (!this.#isOver && !place.isOver) {
        if (this.#full.size > 0 && !this.#hasInput && this.#ahead === undefined) await this.#wake.wait(this.#restMs);
        if (this.#isOver) break;
        const isQuiet = await this.#exchange(place);
        if (this.#client !== talksWith) {
          count(talksWith, -1);
          talksWith = this.#client;
          count(talksWith, 1);
        }
        this.#waitMs = isQuiet ? Math.min(this.#waitMs * 2, SHARED_WAIT_MS) : 1;
        if (isQuiet && !this.#hasWaited) await this.#wake.wait(this.#waitMs);
      }
    } finally {
      count(talksWith, -1);
    }
    if (!this.#isOver) this.#finish();
  }

  get #isGivenUp(): boolean {
    return this.#shape.signal?.aborted === true;
  }

  /** How long the agent need not be asked: for ever, unless it hangs up what nobody asks for. */
  get #restMs(): number | undefined {
    const { unattendedLimitMs } = this.#shape;
    return unattendedLimitMs === undefined ? undefined : unattendedLimitMs / ASKED_FOR;
  }

  get #hasInput(): boolean {
    return this.#input.length > 0 || (this.#inputEnds !== undefined && !this.#inputIsOver);
  }

  /** What to ask for now. Input that an exchange which is under way has brought is brought again: it is passed over then. */
  #request(place: ProgramPlace): Request {
    // Whoever does not read the output may still write; the output stays with the agent then.
    const isFull = this.#full.size > 0;
    const size = isFull ? 1 : this.#size;
    const { inputOffset, offsets } = place;
    const brought = inputOffset === undefined ? NOTHING : this.#input.subarray(0, Math.min(LARGEST_PIECE, this.#client.pieceBytes.write));
    const ends = this.#inputEnds !== undefined && brought.length === this.#input.length && inputOffset !== undefined && !this.#inputIsOver;
    const isForInput = !this.#shape.isTerminal && brought.length > 0;
    const args = {
      program: place.program, ...offsets, size,
      ...(brought.length === 0 ? {} : { input: brought }),
      ...(brought.length === 0 && !ends ? {} : { 'input-offset': inputOffset }),
      ...(ends ? { 'end-of-input': true } : {}),
      ...(isForInput ? { 'wait-for': 'input' } : {}),
    };
    return { args, place, offsets, size, inputEnd: (inputOffset ?? 0) + brought.length, isFull, waitMs: isFull || inputOffset === undefined ? 0 : undefined };
  }

  /** Answers whether there was nothing new. */
  async #exchange(place: ProgramPlace): Promise<boolean> {
    const sent = this.#ahead;
    this.#ahead = undefined;
    const answered = await this.#answered(sent?.request ?? this.#request(place), sent?.held);
    if (answered === undefined) return true;
    const { answer, request } = answered;
    const news = place.take(answer, request, request.isFull);
    this.#inputTaken(news);
    if (request.isFull) return news.accepted === 0;
    const most = Math.max(news.output.length, news.errors.length);
    this.#size = most >= USUAL_PIECE ? LARGEST_PIECE : USUAL_PIECE;
    this.#pass('output', this.stdout, news.output);
    this.#pass('errors', this.stderr, news.errors);
    if (news.end !== undefined && !this.#hasExited) this.#exited(news.end, news.timedOut);
    return most === 0 && news.accepted === 0;
  }

  /** Asks until there is an answer. None: the conversation has ended. @param sent what holds it, where it was sent already @throws ClientError where it cannot go on */
  async #answered(first: Request, sent: HeldCall | undefined): Promise<{ readonly answer: ExchangeAnswer; readonly request: Request } | undefined> {
    let request = first;
    let held = sent;
    while (!this.#isOver) {
      const client = this.#client;
      // After a break the first answer is wanted at once: what was typed meanwhile is not in this request.
      held ??= new HeldCall(this.#brokenSince === undefined ? request.waitMs ?? this.#waitWith(client) : 0);
      const since = performance.now();
      this.#held = { call: held, request };
      try {
        const answer = await client[withBytes](EXCHANGE, { ...request.args, 'wait-ms': held.waitMs }, this.#shape.call, undefined, held);
        this.#lostAnswers = 0;
        this.#hasWaited = held.isHurried || (held.waitMs > 0 && performance.now() - since >= held.waitMs / 2);
        if (this.#brokenSince !== undefined) {
          this.#brokenSince = undefined;
          this.emit('resumed');
        }
        return { answer: answer as ExchangeAnswer, request };
      } catch (error) {
        if (!this.#isOver) await this.#recover(error);
        // What was sent behind it may have been answered, and said that we have what is before its offsets: earlier ones cannot be asked for again.
        if (this.#ahead !== undefined) request = this.#request(request.place);
        this.#ahead = undefined;
      } finally {
        held = undefined;
        this.#held = undefined;
      }
    }
    return undefined;
  }

  #waitWith(client: GuestClient): number {
    if ((talks.get(client) ?? 0) > 1) return 0;
    return client[canHurry] ? LONG_WAIT_MS : this.#waitMs;
  }

  /** Makes ready for asking again. @throws what it got, where that is in vain */
  async #recover(error: unknown): Promise<void> {
    if (!ClientError.is(error)) throw error;
    const now = performance.now();
    const { reconnect, resumeForMs } = this.#shape;
    const since = (this.#brokenSince ??= now);
    if (error.kind === 'timeout' || error.kind === 'garbage') {
      this.#lostAnswers += 1;
      if (this.#lostAnswers > MOST_LOST && (reconnect === undefined || now - since > resumeForMs)) throw error;
      if (since === now) this.emit('interrupted', error);
      // Who answers nonsense at once is not asked without a pause.
      else await later(SHARED_WAIT_MS);
      return;
    }
    if (error.kind !== 'closed' || now - since > resumeForMs || (reconnect === undefined && !this.#client.isOpen)) throw error;
    if (since === now) this.emit('interrupted', error);
    // A way for single commands stays open, whatever becomes of the guest.
    if (this.#client.isOpen || !(await this.#reconnected(reconnect))) await later(SHARED_WAIT_MS);
  }

  async #reconnected(reconnect: (() => Promise<GuestClient>) | undefined): Promise<boolean> {
    try {
      const client = await reconnect?.();
      if (client === undefined) return false;
      this.#client = client;
      if (this.#isOver) client.close();
      else this.#own.push(client);
      return true;
    } catch (error) {
      if (!ClientError.is(error) || (error.kind !== 'closed' && error.kind !== 'timeout')) throw error;
      return false;
    }
  }

  #writable(): Writable {
    return new Writable({
      highWaterMark: USUAL_PIECE,
      write: (chunk: Buffer, _encoding, done) => {
        if (this.#inputIsOver) {
          done();
          return;
        }
        this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
        this.#hurry();
        // Whoever types does not wait until a program has read it.
        if (this.#shape.isTerminal && this.#input.length <= TYPED_AHEAD) done();
        else this.#taken = done;
      },
      final: (done) => {
        this.#inputEnds = done;
        this.#hurry();
      },
    });
  }

  #readable(): Readable {
    const stream: Readable = new Readable({
      highWaterMark: USUAL_PIECE,
      read: () => {
        if (this.#full.delete(stream)) this.#wake.wake();
      },
      destroy: (error, done) => {
        // Nobody reads it any more: what still comes is passed over.
        if (this.#full.delete(stream)) this.#wake.wake();
        done(error);
      },
    });
    return stream;
  }

  #hurry(): void {
    if (!this.#sendAhead()) this.#held?.call.hurry();
    this.#wake.wake();
  }

  /** The next exchange itself ends the wait of the one that is held, and brings what is new: nothing has to come back first. */
  #sendAhead(): boolean {
    const held = this.#held;
    if (held === undefined || this.#ahead !== undefined || this.#isOver || held.request.isFull || this.#full.size > 0) return false;
    const request = this.#request(held.request.place);
    const next = new HeldCall(held.call.waitMs);
    if (!this.#client[ahead](EXCHANGE, { ...request.args, 'wait-ms': next.waitMs }, held.call, next)) return false;
    this.#ahead = { request, held: next };
    return true;
  }

  #inputTaken({ accepted, inputEnded }: Exchanged): void {
    if (accepted > 0) this.#input = this.#input.subarray(accepted);
    if (inputEnded) this.#input = NOTHING;
    if (this.#input.length > 0) return;
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
    if (!inputEnded || this.#inputIsOver) return;
    this.#inputIsOver = true;
    this.#inputEnds?.();
    // It reads no more, and nobody has said so: who writes learns it.
    if (this.#inputEnds === undefined) this.stdin?.destroy();
  }

  #pass(name: StreamName, stream: Readable | null, { bytes, lost, ended }: StreamNews): void {
    if (lost > 0) this.emit('lost', name === 'output' ? 'stdout' : 'stderr', lost);
    if (stream === null || stream.destroyed || stream.readableEnded) return;
    // Only the last says whether there is room: the rest is there already.
    for (const piece of bytes) if (!stream.push(piece)) this.#full.add(stream);
    if (!ended || this.#endedStreams.has(stream)) return;
    this.#endedStreams.add(stream);
    this.#full.delete(stream);
    stream.push(null);
  }

  #exited(end: { readonly exitCode: number } | { readonly signal: number }, timedOut: boolean): void {
    this.#hasExited = true;
    this.timedOut = timedOut;
    if ('signal' in end) {
      this.signalNumber = end.signal;
      this.signalCode = nameOfSignal(end.signal);
    } else this.exitCode = end.exitCode;
    this.emit('exit', this.exitCode, this.signalCode);
  }

  /** All was told: the agent may forget it. */
  #finish(): void {
    const client = this.#client;
    const { program } = this;
    const forgotten = program === undefined ? undefined : client.execute('__org.concierge_exec-forget', { program }, this.#shape.call).catch(() => undefined);
    const streams = [this.stdout, this.stderr].filter((stream) => stream !== null);
    // As Node has it: who has not begun to read when all is over does not want it.
    for (const stream of streams) if (stream.readableFlowing === null && stream.listenerCount('readable') === 0) stream.resume();
    const closed = streams.map((stream) => (stream.closed ? undefined : new Promise<void>((resolve) => void stream.once('close', resolve))));
    this.#shape.signal?.removeEventListener('abort', this.#abort);
    this.#isOver = true;
    this.stdin?.destroy();
    void Promise.all([...closed, forgotten]).then(() => {
      for (const own of this.#own) own.close();
      this.emit('close', this.exitCode, this.signalCode);
    });
  }

  #giveUp(): void {
    this.kill(this.#shape.killSignal, { group: true });
    if (this.program !== undefined && !this.#isOver) this.emit('error', new ClientError('aborted', 'the program was given up', { cause: this.#shape.signal?.reason }));
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#end();
    this.emit('error', error);
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#shape.signal?.removeEventListener('abort', this.#abort);
    this.#hurry();
    for (const stream of [this.stdin, this.stdout, this.stderr]) stream?.destroy();
    for (const own of this.#own) own.close();
  }
}

function count(client: GuestClient, change: number): void {
  talks.set(client, (talks.get(client) ?? 0) + change);
}

const later = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms));
