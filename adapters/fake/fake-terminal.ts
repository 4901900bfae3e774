// SPDX-License-Identifier: Apache-2.0
import type { TerminalSize } from '../../core/ports/index.ts';

const INTERRUPT = 0x03;
const END_OF_FILE = 0x04;
const LINE_FEED = 0x0a;
const RETURN = 0x0d;
const SUSPEND = 0x1a;
const QUIT = 0x1c;
const ERASE = 0x7f;

const signals = new Map([[INTERRUPT, 'INT'], [QUIT, 'QUIT'], [SUSPEND, 'TSTP']]);

/** What a terminal is connected to. */
export interface TerminalEnds {
  /** The program may read this; undefined: the end of its input. */
  readonly toProgram: (bytes: Uint8Array | undefined) => void;
  readonly toHost: (bytes: Uint8Array) => void;
  readonly signal: (name: string) => void;
}

/** A terminal with the part of termios(3) that people notice: lines with erasing, echo, the keys that send signals, and raw mode. */
export class FakeTerminal {
  /** Every byte goes through as it is; there is no echo, and no key sends a signal. */
  raw = false;
  readonly #ends: TerminalEnds;
  readonly #resized = new Set<() => void>();
  #size: TerminalSize;
  #line: number[] = [];

  constructor(size: TerminalSize, ends: TerminalEnds) {
    this.#size = size;
    this.#ends = ends;
  }

  get rows(): number {
    return this.#size.rows;
  }

  get columns(): number {
    return this.#size.columns;
  }

  /** Calls back whenever the size has changed. */
  onResize(listener: () => void): void {
    this.#resized.add(listener);
  }

  resize(size: TerminalSize): void {
    this.#size = size;
    this.#ends.signal('WINCH');
    for (const listener of this.#resized) listener();
  }

  /** What is typed. */
  type(bytes: Uint8Array): void {
    if (this.raw) {
      this.#ends.toProgram(bytes.slice());
      return;
    }
    for (const byte of bytes) this.#key(byte);
  }

  /** What the program writes, as it is shown. */
  show(bytes: Uint8Array): void {
    if (this.raw) this.#ends.toHost(bytes);
    else this.#ends.toHost(Buffer.from(Array.from(bytes).flatMap((byte) => (byte === LINE_FEED ? [RETURN, LINE_FEED] : [byte]))));
  }

  /** As if the end-of-file character were typed at the start of a line. */
  end(): void {
    if (this.raw) return;
    if (this.#line.length > 0) this.#key(END_OF_FILE);
    this.#key(END_OF_FILE);
  }

  #key(byte: number): void {
    const signal = signals.get(byte);
    if (signal !== undefined) {
      this.#line = [];
      this.#ends.toHost(Buffer.from(`^${String.fromCodePoint(byte + 0x40)}`));
      this.#ends.signal(signal);
    } else if (byte === ERASE) {
      if (this.#line.pop() !== undefined) this.#ends.toHost(Buffer.from('\b \b'));
    } else if (byte === END_OF_FILE) {
      this.#ends.toProgram(this.#line.length === 0 ? undefined : Buffer.from(this.#line));
      this.#line = [];
    } else if (byte === RETURN || byte === LINE_FEED) {
      this.#ends.toHost(Buffer.from('\r\n'));
      this.#ends.toProgram(Buffer.from([...this.#line, LINE_FEED]));
      this.#line = [];
    } else {
      this.#line.push(byte);
      this.#ends.toHost(Buffer.from([byte]));
    }
  }
}
