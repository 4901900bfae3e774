// SPDX-License-Identifier: Apache-2.0
import type { Connection, ConnectionSink } from '../../../core/ports/index.ts';
import type { FakeClock } from '../clock.ts';
import type { AnswerFault } from './scenario.ts';

export interface FaultyOptions {
  readonly inner: Connection;
  readonly clock: FakeClock;
  /** A request arrived; answers what is to be done to its answer. */
  readonly asked: (command: string) => AnswerFault | undefined;
  readonly closed: (connection: FaultyConnection) => void;
}

interface Request {
  readonly command: string;
  readonly fault: AnswerFault | undefined;
}

const lineFeed = 0x0a;
/** These say nothing when they succeed. */
const silent = /^guest-(?:shutdown|suspend-)/;

/** A connection on which answers get lost, late, broken off and garbled, as a scenario has it. */
export class FaultyConnection implements Connection {
  readonly #options: FaultyOptions;
  readonly #requests: Request[] = [];
  #sink: ConnectionSink | undefined;
  #line = '';
  /** Bytes of the current answer that have been dealt with. */
  #sent = 0;
  #late: Promise<void> | undefined;
  #over = false;

  constructor(options: FaultyOptions) {
    this.#options = options;
  }

  get endsWithGeneration(): boolean {
    return this.#options.inner.endsWithGeneration === true;
  }

  start(sink: ConnectionSink): void {
    this.#sink = sink;
    this.#options.inner.start({
      data: (chunk) => {
        this.#read(chunk);
        if (!this.#over) sink.data(chunk);
      },
      drained: () => sink.drained(),
      hostChanged: (seen) => {
        this.#forget();
        sink.hostChanged(seen);
      },
      hostMissed: () => sink.hostMissed?.(),
      closed: () => this.#end(),
    });
  }

  write(bytes: Uint8Array | string): boolean {
    if (this.#over) return true;
    let rest: Uint8Array = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    let room = true;
    while (rest.length > 0 && !this.#over) {
      const end = rest.indexOf(lineFeed);
      const piece = end === -1 ? rest : rest.subarray(0, end + 1);
      this.#skipSilent(piece);
      room = this.#pass(piece, end !== -1, this.#requests[0]?.fault) && room;
      this.#sent += piece.length;
      rest = rest.subarray(piece.length);
      if (end === -1) continue;
      this.#sent = 0;
      this.#requests.shift();
    }
    return room;
  }

  pause(): void {
    this.#options.inner.pause();
  }

  resume(): void {
    this.#options.inner.resume();
  }

  close(): void {
    this.#options.inner.close();
  }

  /** Both sides are told: the channel broke. */
  drop(): void {
    this.close();
    this.#end();
  }

  #pass(piece: Uint8Array, last: boolean, fault: AnswerFault | undefined): boolean {
    const { inner, clock } = this.#options;
    switch (fault?.do) {
      case undefined:
        return this.#late === undefined ? inner.write(piece) : this.#afterLate(piece);
      case 'answer-lost':
        return true;
      case 'answer-garbled':
        if (last) inner.write(`${fault.text ?? '\u0000{]garbage'}\n`);
        return true;
      case 'answer-cut': {
        const left = Math.max(0, (fault.bytes ?? 10) - this.#sent);
        if (piece.length > left || last) {
          inner.write(piece.subarray(0, Math.min(left, piece.length - 1)));
          this.drop();
          return true;
        }
        return inner.write(piece);
      }
      case 'answer-late':
        this.#late ??= clock.sleep(fault.by);
        return this.#afterLate(piece);
      default:
        return fault satisfies never;
    }
  }

  /** In order: what comes behind a late answer waits for it. */
  #afterLate(piece: Uint8Array): boolean {
    const bytes = piece.slice();
    const turn = this.#sendAfter(this.#late, bytes);
    this.#late = turn;
    void turn.then(() => {
      if (this.#late === turn) this.#late = undefined;
    });
    return true;
  }

  async #sendAfter(before: Promise<void> | undefined, bytes: Uint8Array): Promise<void> {
    await before;
    if (!this.#over) this.#options.inner.write(bytes);
  }

  #read(chunk: Uint8Array): void {
    // 0xFF is how a host begins anew.
    const lines = (this.#line + Buffer.from(chunk).toString('latin1')).split('\n');
    this.#line = (lines.pop() ?? '').slice(-65_536);
    for (const line of lines) {
      const command = /['"]execute['"]\s*:\s*['"]([\w.-]+)['"]/.exec(line)?.[1];
      if (command !== undefined) this.#requests.push({ command, fault: this.#options.asked(command) });
    }
  }

  /** A `return` cannot be the answer to a command that says nothing when it succeeds. */
  #skipSilent(piece: Uint8Array): void {
    if (this.#sent > 0 || !Buffer.from(piece.subarray(0, 12)).includes('"return"')) return;
    while (silent.test(this.#requests[0]?.command ?? '')) this.#requests.shift();
  }

  #forget(): void {
    this.#requests.length = 0;
    this.#line = '';
    this.#sent = 0;
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#sink?.closed();
    this.#options.closed(this);
  }
}
