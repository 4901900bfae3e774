// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import { unescape } from './unescape.ts';

/** Small stretches are collected up to this many bytes, so that a string that comes byte by byte stays cheap. */
const HELD = 16 * 1024;

/** From this size on a stretch of plain text is turned into a string where it lies. */
const DIRECT = 2 * 1024;

/**
 * The text of a token that does not lie in one chunk, or of a string that has escapes.
 *
 * Every byte is looked at once. What is kept is the finished part, as a rope of JavaScript strings, and at most
 * 16 KiB of bytes: no second copy of a long string arises here.
 */
export class TokenText {
  #text = '';
  #held: Buffer | undefined;
  #length = 0;
  #special = false;
  #error: string | undefined;

  begin(): void {
    this.#text = '';
    this.#length = 0;
    this.#special = false;
    this.#error = undefined;
  }

  /** Starts with text that is known already. */
  beginWith(text: string): void {
    this.begin();
    this.#text = text;
  }

  /** Adds `chunk[from, to)`, copying it. `special`: it may hold an escape or a byte above 0x7F. */
  append(chunk: Buffer, from: number, to: number, special: boolean): void {
    let at = from;
    while (at < to && this.#error === undefined) {
      if (!special && this.#length === 0 && to - at >= DIRECT) {
        this.#text += chunk.toString('latin1', at, to);
        return;
      }
      this.#held ??= Buffer.allocUnsafeSlow(HELD);
      const taken = Math.min(to - at, HELD - this.#length);
      chunk.copy(this.#held, this.#length, at, at + taken);
      this.#special ||= special;
      this.#length += taken;
      at += taken;
      if (this.#length === HELD) this.#flush(undefined);
    }
  }

  /** The whole text as sent: for numbers and words. */
  finish(): string {
    this.#flush(undefined);
    const text = this.#text;
    this.begin();
    return text;
  }

  /** The meaning of the string that the byte `quote` closed, or the text of its parse error. */
  finishString(quote: number): { readonly text: string; readonly error: string | undefined } {
    this.#flush(quote);
    const result = { text: this.#text, error: this.#error };
    this.begin();
    return result;
  }

  #flush(quote: number | undefined): void {
    const held = this.#held;
    if (held === undefined || this.#length === 0) return;
    if (!this.#special) {
      this.#text += held.toString('latin1', 0, this.#length);
      this.#length = 0;
      return;
    }

    const { text, taken, error } = unescape(held, this.#length, quote);
    if (error === undefined) this.#text += text;
    else {
      this.#error = error;
      this.#text = '';
    }
    held.copyWithin(0, taken, this.#length);
    this.#length -= taken;
    this.#special = this.#length > 0;
  }
}
