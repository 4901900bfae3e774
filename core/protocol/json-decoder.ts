import { Buffer } from 'node:buffer';

import { Base64Collector } from './base64-text.ts';
import * as byteClass from './byte-class.ts';
import type { Decoded } from './decoded.ts';
import { protocolLimits } from './limits.ts';
import { NumberScan, numberValue, SMALL_INTEGER, smallInteger } from './number-scan.ts';
import { OversizeSkip } from './oversize-skip.ts';
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
/** After a limit error: passing over the rest of the value. */
const OVERSIZE = 5;
/** In a string that has been base64 so far, in a place where that is expected. */
const BASE64 = 6;

/** Shorter strings are cheaper as they are. */
const WORTH_DECODING = 1024;

const NOTHING = Buffer.alloc(0);

/**
 * Incremental decoder of the agent's JSON dialect (docs/differences.md lists where it departs from qemu-ga 10.2).
 *
 * `next` reads only as far as the next value or error, so that a request is executed before the next is looked
 * at. The result depends on the bytes alone, never on how they were cut into chunks.
 */
export class JsonDecoder {
  readonly #builder = new ValueBuilder();
  readonly #strings = new StringScan();
  readonly #numbers = new NumberScan();
  readonly #oversize = new OversizeSkip();
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
    else {
      this.#chunk = bytes;
      this.#at = 0;
    }
  }

  /** The next value or error, or `undefined`: more bytes are needed. */
  next(): Decoded | undefined {
    for (;;) {
      if (this.#at < this.#chunk.length) {
        const decoded = this.#mode === FRESH ? this.#lex() : this.#resume();
        if (decoded !== undefined) return decoded;
      } else {
        this.#chunk = this.#waiting.shift() ?? NOTHING;
        this.#at = 0;
        if (this.#chunk === NOTHING) return undefined;
      }
    }
  }

  /** Copies what is unread, where the caller needs its memory back while a request is executed. */
  retain(): void {
    if (this.#retained) return;
    this.#chunk = Buffer.concat([this.#chunk.subarray(this.#at), ...this.#waiting]);
    this.#at = 0;
    this.#waiting = [];
    this.#retained = true;
  }

  /** Forgets everything unfinished: the connection changed hands. */
  reset(): void {
    this.#chunk = NOTHING;
    this.#at = 0;
    this.#waiting = [];
    this.#startOver(FRESH);
  }

  /** Bytes held: token text of the unfinished value, and what was fed and not yet read. */
  get pendingBytes(): number {
    return this.#waiting.reduce((sum, chunk) => sum + chunk.length, this.#bytes + this.#chunk.length - this.#at);
  }

  /** What the unfinished value weighs in the budget of all hosts. */
  get weight(): number {
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
        continue;
      }
      this.#at = at;
      if (start === byteClass.STRAY) {
        this.#head.begin();
        return this.#stray(at, at + 1);
      }
      if (this.#tokens === protocolLimits.tokens) return this.#limit('count');
      if (this.#bytes === protocolLimits.tokenBytes) return this.#limit('size');
      if (builder.depth === protocolLimits.depth && (byte === 0x7b || byte === 0x5b)) return this.#limit('depth');

      this.#tokens += 1;
      if (start === byteClass.PUNCTUATION) {
        this.#bytes += 1;
        at += 1;
        builder.punctuation(byte);
      } else if (this.#whole(byte, start)) at = this.#at;
      else return this.#inPieces(byte, start);
      if (builder.settled) {
        this.#at = at;
        return this.#take();
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
    } else {
      end = byteClass.wordEnd(chunk, from + 1, to);
      if (end === to) return false;
      this.#builder.word(chunk.toString('latin1', from, end));
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
    const chunk = this.#chunk;
    const skip = this.#mode === OVERSIZE;
    this.#at = skip ? this.#oversize.run(chunk, this.#at) : byteClass.recoveryEnd(chunk, this.#at);
    if (skip ? this.#oversize.ended : this.#at < chunk.length) this.#mode = FRESH;
    return undefined;
  }

  /** The piece may reach to the end of the chunk, or to where the value would become too long. */
  get #pieceEnd(): number {
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
    // The value of a member ends no value.
    this.#builder.base64(this.#base64.finish());
    return undefined;
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
      return this.#builder.settled ? this.#take() : undefined;
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

    this.#text.append(chunk, from, end, false);
    this.#head.keep(chunk, from, end);
    this.#bytes += end - from;
    this.#at = end;
    if (end === chunk.length) return undefined;
    const text = this.#text.finish();
    if (this.#mode === WORD) this.#builder.word(text);
    else this.#builder.scalar(numberValue(text, this.#numbers.integer), text);
    this.#mode = FRESH;
    return this.#builder.settled ? this.#take() : undefined;
  }

  #run(from: number, to: number): number {
    return this.#mode === NUMBER ? this.#numbers.run(this.#chunk, from, to) : byteClass.wordEnd(this.#chunk, from, to);
  }

  #take(): Decoded {
    const { root, error, idText } = this.#builder;
    this.#builder.reset();
    this.#tokens = 0;
    this.#bytes = 0;
    return error === undefined ? { kind: 'value', value: root, idText } : { kind: 'error', desc: parseError(error) };
  }

  /** A byte that cannot start or continue a token, at `end - 1`; the token's bytes of this chunk begin at `from`. */
  #stray(from: number, end: number): Decoded {
    this.#at = end;
    this.#startOver(RECOVERY);
    return { kind: 'error', desc: this.#head.strayError(this.#chunk, from, end) };
  }

  #limit(which: keyof typeof limitErrors): Decoded {
    const quote = this.#mode === STRING || this.#mode === BASE64 ? this.#strings.quote : 0;
    this.#oversize.begin(this.#builder.depth, quote, quote !== 0 && this.#strings.escaped);
    this.#startOver(OVERSIZE);
    return { kind: 'error', desc: limitErrors[which] };
  }
}
