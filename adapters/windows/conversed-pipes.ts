// SPDX-License-Identifier: Apache-2.0
import { type ChildPipe, pieceSize } from './child-pipe.ts';
import { leaveOpen, type LeftPipe } from './left-pipes.ts';

const nothing = new Uint8Array();

const turn = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

/**
 * What a program writes. Windows tells nobody that a pipe has something, so one piece is read ahead; the next one is read when
 * that was taken. Whoever writes more waits.
 */
export class ReadAhead implements LeftPipe {
  readonly ended: Promise<void>;
  readonly #pipe: ChildPipe;
  readonly #ready: () => void;
  #piece: Uint8Array = nothing;
  #taken = (): void => undefined;
  #isWanted = false;
  #isOver = false;
  #isLeft = false;

  /** @param ready called once after each `read` that found nothing, in a turn of its own */
  constructor(pipe: ChildPipe, ready: () => void) {
    this.#pipe = pipe;
    this.#ready = ready;
    this.ended = this.#readOn();
  }

  /** As `InteractiveProgram.read`. */
  read(into: Uint8Array): number | undefined {
    if (this.#piece.length > 0) {
      const count = Math.min(into.length, this.#piece.length);
      into.set(this.#piece.subarray(0, count));
      this.#piece = this.#piece.subarray(count);
      if (this.#piece.length === 0) this.#taken();
      return count;
    }
    if (this.#isOver) return 0;
    this.#isWanted = true;
    return undefined;
  }

  async #readOn(): Promise<void> {
    for (;;) {
      const piece = await this.#pipe.next();
      if (piece === undefined) break;
      // A program may write nothing, which is no end. Others get their turn, however fast it writes.
      if (this.#isLeft || piece.length === 0) await turn();
      else await this.#offer(piece);
    }
    this.#isOver = true;
    this.#pipe.close();
    this.#tell();
  }

  #offer(piece: Uint8Array): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#piece = piece;
    this.#taken = resolve;
    this.#tell();
    return promise;
  }

  #tell(): void {
    if (!this.#isWanted) return;
    this.#isWanted = false;
    setImmediate(this.#ready);
  }

  /** Nobody reads any more: what others that hold the pipe still write is thrown away. */
  leave(): void {
    this.#isLeft = true;
    this.#piece = nothing;
    this.#taken();
    if (!this.#isOver) leaveOpen(this);
  }

  close(): void {
    this.#pipe.close();
  }
}

/** What a program reads. A piece is taken when the one before it has gone into the pipe. */
export class WriteBehind {
  readonly #pipe: ChildPipe;
  readonly #ready: () => void;
  #isBusy = false;
  #isEnding = false;
  #isClosed = false;
  #isWanted = false;

  /** @param ready called once after each `write` that did not take all, in a turn of its own */
  constructor(pipe: ChildPipe, ready: () => void) {
    this.#pipe = pipe;
    this.#ready = ready;
  }

  /** As `InteractiveProgram.write`. */
  write(bytes: Uint8Array): number | undefined {
    if (this.#isClosed) return undefined;
    const piece = this.#isBusy ? nothing : bytes.subarray(0, pieceSize);
    if (piece.length < bytes.length) this.#isWanted = true;
    if (piece.length > 0) void this.#put(piece);
    return piece.length;
  }

  async #put(piece: Uint8Array): Promise<void> {
    this.#isBusy = true;
    const isPut = await this.#pipe.put(piece);
    this.#isBusy = false;
    if (!isPut || this.#isEnding) this.close();
    if (!this.#isWanted) return;
    this.#isWanted = false;
    setImmediate(this.#ready);
  }

  /** Closes when what was taken has gone into the pipe. */
  end(): void {
    this.#isEnding = true;
    if (!this.#isBusy) this.close();
  }

  /** At once. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#pipe.close();
  }
}
