// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import { AgentError } from '../errors/agent-error.ts';
import type { ByteBudget } from './byte-budget.ts';

/** Bytes of a stream that a program is always granted. What goes beyond comes out of the budget of all. */
export const GRANTED = 64 * 1024;
const SMALLEST = 4096;
const GROWTH = 4;

const NOTHING = Buffer.alloc(0);

/** As `InteractiveProgram.read`, of one stream. */
export type ReadStream = (into: Uint8Array) => number | undefined;

/**
 * What a program wrote to one of its streams, as far as hosts may still ask for it: a window that a host moves forward by
 * saying what it has seen.
 */
export class ProgramOutput {
  readonly #name: string;
  readonly #budget: ByteBudget;
  #bytes: Buffer = NOTHING;
  #start = 0;
  #end = 0;
  /** Of the byte at `#start` in all that was written. */
  #offset: number;
  #ended = false;

  /** `offset`: of the first byte that is read. */
  constructor(name: string, budget: ByteBudget, offset = 0) {
    this.#name = name;
    this.#budget = budget;
    this.#offset = offset;
  }

  /** Offset of the oldest byte that is kept. */
  get offset(): number {
    return this.#offset;
  }

  /** Offset behind the youngest byte that was read. */
  get end(): number {
    return this.#offset + this.#end - this.#start;
  }

  /** Whether nothing more is to be read. */
  get ended(): boolean {
    return this.#ended;
  }

  /** It will not be written to. */
  close(): void {
    this.#ended = true;
  }

  /** @throws AgentError for an offset that is not between those of the bytes that there are; `mayBeLost`: those before are no error */
  check(offset: number | undefined, mayBeLost: boolean): void {
    if (offset === undefined) return;
    if (offset > this.end) throw AgentError.failed(`${this.#name} from offset ${offset} on is not written yet: there are ${this.end} bytes`);
    if (offset >= this.#offset || mayBeLost) return;
    throw AgentError.failed(`${this.#name} from offset ${offset} on is forgotten: it is kept from ${this.#offset} on`);
  }

  /** Forgets what comes before an offset that was checked. */
  forgetBefore(offset: number): void {
    const count = offset - this.#offset;
    if (count <= 0) return;
    this.#offset = offset;
    this.#start += count;
    if (this.#start === this.#end) this.#start = this.#end = 0;
  }

  /** Reads until so many bytes are kept, nothing is there, or there is no memory for more. */
  fill(read: ReadStream, wanted: number): void {
    while (!this.#ended) {
      const room = this.#room(wanted - (this.#end - this.#start));
      if (room.length === 0) return;
      const count = read(room);
      if (count === undefined) return;
      this.#end += count;
      if (count === 0) this.#ended = true;
    }
  }

  /** Reads whatever is there, in at most so many pieces, and keeps the last `keep` bytes. False: there may be more. */
  drain(read: ReadStream, keep: number, pieces: number): boolean {
    for (let left = pieces; left > 0; left -= 1) {
      const before = this.end;
      this.fill(read, this.#end - this.#start + Math.min(Math.max(keep, SMALLEST), GRANTED));
      this.forgetBefore(this.end - keep);
      if (this.#ended || this.end === before) return true;
    }
    return false;
  }

  /** From an offset that is kept, at most so many bytes; they stay as they are until something is read or forgotten. */
  from(offset: number, most: number): Uint8Array {
    const at = this.#start + offset - this.#offset;
    return this.#bytes.subarray(at, Math.min(this.#end, at + most));
  }

  /** Gives back the memory of large pieces, where nothing is kept in it. */
  shrink(): void {
    if (this.#start === this.#end && this.#bytes.length > GRANTED) this.release();
  }

  /** Gives back all memory, and what is in it. */
  release(): void {
    this.#budget.giveBack(Math.max(0, this.#bytes.length - GRANTED));
    this.#offset = this.end;
    this.#start = this.#end = 0;
    this.#bytes = NOTHING;
  }

  /** Free bytes behind the last one, at most so many; none where the budget is spent. */
  #room(most: number): Buffer {
    if (most > 0 && this.#end === this.#bytes.length) this.#makeRoom(this.#end - this.#start + most);
    return this.#bytes.subarray(this.#end, Math.min(this.#bytes.length, this.#end + Math.max(0, most)));
  }

  #makeRoom(wanted: number): void {
    if (this.#start > 0) {
      this.#bytes.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
      return;
    }
    const size = Math.min(Math.max(SMALLEST, this.#bytes.length * GROWTH), Math.max(SMALLEST, wanted));
    const beyond = Math.max(0, size - GRANTED) - Math.max(0, this.#bytes.length - GRANTED);
    if (beyond > 0 && !this.#budget.take(beyond)) return;
    const bytes = Buffer.allocUnsafeSlow(size);
    bytes.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = bytes;
  }
}
