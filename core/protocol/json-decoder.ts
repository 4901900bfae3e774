// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import { Base64Collector } from './base64-text.ts';
import * as byteClass from './byte-class.ts';
import type { Decoded } from './decoded.ts';
import { protocolLimits } from './limits.ts';
import { NumberScan, numberValue, SMALL_INTEGER, smallInteger } from './number-scan.ts';
import { limitErrors, parseError } from './parse-errors.ts';
import { StringScan } from './string-scan.ts';
import { TokenHead } from './token-head.ts';
import { TokenText } from './token-text.ts';
import { ValueBuilder } from './value-builder.ts';

export type { Decoded } from './decoded.ts';

/** What the decoder is in the middle of. */
const FRESH = 0;
const STRING = 1;
const NUMBER = 2;
const WORD = 3;
/** After a lexical error: passing over bytes until one that may start a value. */
const RECOVERY = 4;
/** In a string that has been base64 so far, in a place where that is expected. */
const BASE64 = 5;

/** Shorter strings are cheaper as they are. */
const WORTH_DECODING = 1024;

const LINE_FEED = 0x0a;

const NOTHING = Buffer.alloc(0);

/**
 * Incremental decoder of the agent's JSON dialect (docs/differences.md lists where it departs from qemu-ga 11.1).
 *
 * An error is told at the token that shows it. The rest of its value is passed over in silence: to where its brackets
 * balance, or to the next byte that is an error in itself.
 *
 * `next` reads only as far as the next value or error, so that a request is executed before the next is looked
 * at. The result depends on the bytes alone, never on how they were cut into chunks.
 */
export class JsonDecoder {
  readonly #builder = new ValueBuilder();
  readonly #strings = new StringScan();
  readonly #numbers = new NumberScan();
  readonly #text = new TokenText();
  readonly #head = new TokenHead();
  readonly #base64 = new Base64Collector();
  readonly #base64Members: ReadonlySet<string>;
  #chunk: Buffer = NOTHING;
  #at = 0;
  #waiting: Buffer[] = [];
  /** All that is unread was copied by `retain`. */
  #retained = false;
  #mode = FRESH;
  #stop = 0; // where the scan of the string at hand stopped
  /** Tokens and bytes of token text of the value so far. */
  #tokens = 0;
  #bytes = 0;
  /** The error of the value at hand was told: what follows of it is passed over. */
  #told = false;
  /** Offset of the chunk in all that has come since the start or the last `reset`. */
  #offset = 0;
  /** Offset of the token at hand, or of the last one; one more where its first byte is `#lookahead`. */
  #token = 0;
  /** Offset of the byte that ended a number, a word or a recovery. */
  #lookahead = -1;
  /** Lines are counted from 1, over requests and chunks; a line feed ends one wherever it stands. */
  #line = 1;
  #lineStart = 0;

  /** `base64Members`: names of members whose value becomes a `Base64Text` where it is a long string of base64. */
  constructor({ base64Members = new Set() }: { readonly base64Members?: ReadonlySet<string> } = {}) {
    this.#base64Members = base64Members;
  }

  /**
   * Hands in the next bytes. They are read where they lie: the caller may use the memory again as soon as `next`
   * has returned `undefined`, or after `retain`, not before.
   */
  feed(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#retained = false;
    if (this.#at < this.#chunk.length) this.#waiting.push(bytes);
    else this.#open(bytes);
  }

  #open(chunk: Buffer): void {
    this.#offset += this.#chunk.length;
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** The next value or error, or `undefined`: more bytes are needed. */
  next(): Decoded | undefined {
    for (;;) {
      if (this.#at < this.#chunk.length) {
        const decoded = this.#mode === FRESH ? this.#lex() : this.#resume();
        if (decoded !== undefined) return decoded;
      } else {
        this.#open(this.#waiting.shift() ?? NOTHING);
        if (this.#chunk === NOTHING) return undefined;
      }
    }
  }

  /** Copies what is unread, where the caller needs its memory back while a request is executed. */
  retain(): void {
    if (this.#retained) return;
    this.#retained = true;
    // All is read, mostly: nothing has to be copied.
    if (this.#at === this.#chunk.length && this.#waiting.length === 0) return;
    this.#offset += this.#at;
    this.#chunk = Buffer.concat([this.#chunk.subarray(this.#at), ...this.#waiting]);
    this.#at = 0;
    this.#waiting = [];
  }

  /** Forgets everything unfinished: the connection changed hands. */
  reset(): void {
    this.#chunk = NOTHING;
    this.#at = 0;
    this.#waiting = [];
    this.#offset = 0;
    this.#lookahead = -1;
    this.#line = 1;
    this.#lineStart = 0;
    this.#startOver(FRESH);
  }

  /** Bytes held: token text of the unfinished value, and what was fed and not yet read. */
  get pendingBytes(): number {
    const ofValue = this.#told ? 0 : this.#bytes;
    return this.#waiting.reduce((sum, chunk) => sum + chunk.length, ofValue + this.#chunk.length - this.#at);
  }

  /** Between two values: whether anything but white space is unread. Chunks wait only behind something that is. */
  get holdsMore(): boolean {
    return this.#waiting.length > 0 || this.#chunk.subarray(this.#at).some((byte) => byteClass.starts[byte] !== byteClass.SPACE);
  }

  /** Whether nothing is unfinished: what comes next is the start of a value. */
  get isFresh(): boolean {
    return this.#mode === FRESH && this.#tokens === 0 && this.pendingBytes === 0;
  }

  /** What the unfinished value weighs in the budget of all hosts. */
  get weight(): number {
    if (this.#told) return 0;
    const weight = this.#bytes + this.#tokens * protocolLimits.tokenWeight;
    return weight > protocolLimits.freeWeight ? weight : 0;
  }

  /** Gives up the unfinished value, for which there is no room: its error, as for a value that is too long. */
  refuse(): Decoded {
    return this.#limit('size');
  }

  #startOver(mode: number): void {
    this.#mode = mode;
    this.#tokens = 0;
    this.#bytes = 0;
    this.#told = false;
    this.#builder.reset();
    this.#text.begin();
    this.#base64.reset();
  }

  /** Reads whole tokens until a value is complete or the chunk ends. */
  #lex(): Decoded | undefined {
    const chunk = this.#chunk;
    const builder = this.#builder;
    let at = this.#at;
    while (at < chunk.length) {
      const byte = chunk[at] as number;
      const start = byteClass.starts[byte] as number;
      if (start === byteClass.SPACE) {
        at += 1;
        if (byte === LINE_FEED) this.#endLine(at);
        continue;
      }
      this.#at = at;
      const token = this.#offset + at;
      this.#token = token === this.#lookahead ? token + 1 : token;
      if (start === byteClass.STRAY) {
        this.#head.begin();
        return this.#stray(at, at + 1);
      }
      if (this.#tokens === protocolLimits.tokens) return this.#limit('count');
      if (this.#bytes === protocolLimits.tokenBytes) return this.#limit('size');
      if (builder.depth === protocolLimits.depth && (byte === 0x7b || byte === 0x5b) && !this.#told) return this.#limit('depth');

      this.#tokens += 1;
      if (start === byteClass.PUNCTUATION) {
        this.#bytes += 1;
        at += 1;
        builder.punctuation(byte);
      } else if (this.#whole(byte, start)) at = this.#at;
      else return this.#inPieces(byte, start);
      if (builder.settled || builder.refused) {
        this.#at = at;
        const decoded = this.#take();
        if (decoded !== undefined) return decoded;
      }
    }
    this.#at = at;
    return undefined;
  }

  /** Reads a token that lies in this chunk as a whole; false: it does not, or it is not a good one. */
  #whole(byte: number, start: number): boolean {
    const chunk = this.#chunk;
    const from = this.#at;
    const to = this.#pieceEnd;
    let end: number;
    if (start === byteClass.QUOTE) {
      this.#strings.begin(byte);
      if (to - from > WORTH_DECODING && this.#expectsBase64) {
        const quote = chunk.indexOf(byte, from + 1);
        if (quote < 0 || quote >= to) {
          this.#stop = to;
          return false;
        }
        if (quote - from > WORTH_DECODING && this.#collectWhole(from + 1, quote)) return true;
      }
      end = this.#stop = this.#strings.run(chunk, from + 1, to);
      if (end === to || chunk[end] !== byte) return false;
      this.#string(from + 1, end, byte);
      end += 1;
    } else if (start === byteClass.DIGIT) {
      this.#numbers.begin(byte);
      end = this.#numbers.run(chunk, from + 1, to);
      if (end === to || !this.#numbers.complete) return false;
      this.#number(from, end);
      this.#lookahead = this.#offset + end;
    } else {
      end = byteClass.wordEnd(chunk, from + 1, to);
      if (end === to) return false;
      this.#builder.word(chunk.toString('latin1', from, end));
      this.#lookahead = this.#offset + end;
    }
    this.#bytes += end - from;
    this.#at = end;
    return true;
  }

  get #expectsBase64(): boolean {
    const name = this.#builder.memberName;
    return name !== undefined && this.#base64Members.has(name);
  }

  /** Reads a string of base64 that lies in this chunk as a whole; false: it is none. */
  #collectWhole(from: number, end: number): boolean {
    if (!this.#base64.append(this.#chunk, from, end)) return false;
    this.#builder.base64(this.#base64.finish());
    this.#bytes += end + 2 - from;
    this.#at = end + 1;
    return true;
  }

  #string(from: number, end: number, quote: number): void {
    if (!this.#builder.wantsText) this.#builder.string('');
    else if (!this.#strings.special) this.#builder.string(this.#chunk.toString('latin1', from, end));
    else {
      this.#text.begin();
      this.#text.append(this.#chunk, from, end, true);
      this.#endString(quote);
    }
  }

  #endString(quote: number): void {
    const { text, error } = this.#text.finishString(quote);
    if (error === undefined) this.#builder.string(text);
    else this.#builder.refuse(error);
  }

  #number(from: number, end: number): void {
    const integer = this.#numbers.integer;
    if (integer && end - from <= SMALL_INTEGER && !this.#builder.echoing) {
      this.#builder.scalar(smallInteger(this.#chunk, from, end), '');
    } else {
      const text = this.#chunk.toString('latin1', from, end);
      this.#builder.scalar(numberValue(text, integer), text);
    }
  }

  /** Starts a token that goes beyond this chunk, or that is not a good one. */
  #inPieces(byte: number, start: number): Decoded | undefined {
    this.#mode = start === byteClass.QUOTE ? STRING : start === byteClass.DIGIT ? NUMBER : WORD;
    this.#head.begin();
    this.#head.keep(this.#chunk, this.#at, this.#at + 1);
    this.#text.begin();
    this.#at += 1;
    this.#bytes += 1;
    if (start === byteClass.QUOTE) {
      // However little of it has come: a sender may write what stands before the bytes by itself.
      if (this.#stop === this.#pieceEnd && this.#expectsBase64 && !this.#strings.special) return this.#base64Piece();
      return this.#stringPiece(this.#stop);
    }
    this.#text.append(this.#chunk, this.#at - 1, this.#at, false);
    this.#numbers.begin(byte);
    return this.#resumeRun();
  }

  /** Goes on with what an earlier chunk began. */
  #resume(): Decoded | undefined {
    if (this.#mode === BASE64) return this.#base64Piece();
    if (this.#mode === STRING) return this.#stringPiece(this.#strings.run(this.#chunk, this.#at, this.#pieceEnd));
    if (this.#mode === NUMBER || this.#mode === WORD) return this.#resumeRun();
    this.#at = byteClass.recoveryEnd(this.#chunk, this.#at);
    if (this.#at < this.#chunk.length) {
      this.#mode = FRESH;
      this.#lookahead = this.#offset + this.#at;
    }
    return undefined;
  }

  /** The piece may reach to the end of the chunk, or to where the value would become too long. */
  get #pieceEnd(): number {
    if (this.#told) return this.#chunk.length;
    return Math.min(this.#chunk.length, this.#at + protocolLimits.tokenBytes - this.#bytes);
  }

  /** Takes what there is of a string that has been base64 so far; as a string like others from here on if this is none. */
  #base64Piece(): Decoded | undefined {
    const [chunk, from, to] = [this.#chunk, this.#at, this.#pieceEnd];
    const { quote } = this.#strings;
    const found = chunk.indexOf(quote, from);
    const end = found < 0 || found > to ? to : found;
    if (!this.#base64.append(chunk, from, end)) {
      this.#mode = STRING;
      this.#text.beginWith(this.#base64.finish().toString());
      return this.#stringPiece(this.#strings.run(chunk, from, to));
    }
    this.#mode = BASE64;
    this.#head.keep(chunk, from, end);
    this.#bytes += end - from;
    this.#at = end;
    if (end === to) return end < chunk.length ? this.#limit('size') : undefined;
    this.#bytes += 1;
    this.#at = end + 1;
    this.#mode = FRESH;
    this.#builder.base64(this.#base64.finish());
    return this.#builder.refused ? this.#take() : undefined;
  }

  /** Takes the piece of a string from here to `end`, where its scan stopped. */
  #stringPiece(end: number): Decoded | undefined {
    const [chunk, from, to] = [this.#chunk, this.#at, this.#pieceEnd];
    const scan = this.#strings;
    if (end < to && chunk[end] !== scan.quote) return this.#stray(from, end + 1);

    if (this.#builder.wantsText) this.#text.append(chunk, from, end, scan.special);
    this.#head.keep(chunk, from, end);
    this.#bytes += end - from;
    this.#at = end;
    if (end < to) {
      this.#bytes += 1;
      this.#at = end + 1;
      this.#mode = FRESH;
      this.#endString(scan.quote);
      return this.#builder.settled || this.#builder.refused ? this.#take() : undefined;
    }
    return end < chunk.length ? this.#limit('size') : undefined;
  }

  /** A number or a word. */
  #resumeRun(): Decoded | undefined {
    const [chunk, from, to] = [this.#chunk, this.#at, this.#pieceEnd];
    const end = this.#run(from, to);
    if (end === to && to < chunk.length && this.#run(to, to + 1) > to) {
      this.#at = to;
      return this.#limit('size');
    }
    if (end < chunk.length && this.#mode === NUMBER && !this.#numbers.complete) return this.#stray(from, end + 1);

    if (!this.#told) this.#text.append(chunk, from, end, false);
    this.#head.keep(chunk, from, end);
    this.#bytes += end - from;
    this.#at = end;
    if (end === chunk.length) return undefined;
    this.#lookahead = this.#offset + end;
    const text = this.#text.finish();
    // Of what is passed over there is no text; any word ends a value of its own.
    if (this.#mode === WORD || this.#told) this.#builder.word(text);
    else this.#builder.scalar(numberValue(text, this.#numbers.integer), text);
    this.#mode = FRESH;
    return this.#builder.settled || this.#builder.refused ? this.#take() : undefined;
  }

  #run(from: number, to: number): number {
    return this.#mode === NUMBER ? this.#numbers.run(this.#chunk, from, to) : byteClass.wordEnd(this.#chunk, from, to);
  }

  /** After a token that ended its value or was an error: what there is to tell. */
  #take(): Decoded | undefined {
    const { root, error, idText, settled } = this.#builder;
    const told = this.#told;
    this.#tokens = 0;
    this.#bytes = 0;
    this.#told = !settled;
    if (settled) this.#builder.reset();
    if (told) return undefined;
    return error === undefined ? { kind: 'value', value: root, idText } : { kind: 'error', desc: parseError(this.#place, error) };
  }

  /**
   * Line and column of the token at hand, from 1, in bytes. As qemu-ga 11.1 counts them: a token is one column further to the
   * right where its first byte is what ended a number, a word or a recovery.
   */
  get #place(): string {
    return `${this.#line}:${this.#token - this.#lineStart + 1}`;
  }

  /** A line feed lies in front of `end`. */
  #endLine(end: number): void {
    this.#line += 1;
    this.#lineStart = this.#offset + end;
  }

  /** A byte that cannot start or continue a token, at `end - 1`; the token's bytes of this chunk begin at `from`. */
  #stray(from: number, end: number): Decoded | undefined {
    const told = this.#told;
    const desc = told ? '' : this.#head.strayError(this.#place, this.#chunk, from, end);
    if (this.#chunk[end - 1] === LINE_FEED) this.#endLine(end);
    this.#at = end;
    this.#startOver(RECOVERY);
    return told ? undefined : { kind: 'error', desc };
  }

  /** The token at hand goes on, to be passed over with the rest of its value. */
  #limit(which: keyof typeof limitErrors): Decoded {
    if (this.#mode === BASE64) this.#mode = STRING;
    this.#tokens = 0;
    this.#bytes = 0;
    this.#told = true;
    this.#text.begin();
    this.#base64.reset();
    this.#builder.refuse(limitErrors[which]);
    return { kind: 'error', desc: limitErrors[which] };
  }
}
