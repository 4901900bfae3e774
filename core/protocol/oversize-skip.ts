const isQuote = (byte: number): boolean => byte === 0x22 || byte === 0x27;

/** Space, tab, carriage return and the structural characters: where a top-level number or word ends. */
const isDelimiter = (byte: number): boolean =>
  byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x3a || byte === 0x2c || isOpening(byte) || isClosing(byte);

const isOpening = (byte: number): boolean => byte === 0x7b || byte === 0x5b;

const isClosing = (byte: number): boolean => byte === 0x7d || byte === 0x5d;

/**
 * Passes over the rest of a value that broke a limit.
 *
 * The rest ends where its brackets balance, at a line feed, or before an 0xFE or 0xFF, whichever comes first.
 * (qemu-ga reads it as new input instead, which answers one oversized value with up to thousands of errors.)
 */
export class OversizeSkip {
  #depth = 0;
  #quote = 0;
  #escaped = false;
  /** The rest has ended; what follows is new input. */
  ended = true;

  /** The limit broke with `depth` brackets open; within a string, `quote` is what closes it (else 0). */
  begin(depth: number, quote: number, escaped: boolean): void {
    this.#depth = depth;
    this.#quote = quote;
    this.#escaped = escaped;
    this.ended = false;
  }

  /** Index from `from` on of the first byte that is new input, or the chunk's length. */
  run(chunk: Buffer, from: number): number {
    for (let i = from; i < chunk.length; i += 1) {
      const byte = chunk[i] as number;
      if (byte >= 0xfe) return this.#end(i);
      if (byte === 0x0a) return this.#end(i + 1);
      if (this.#quote !== 0) {
        if (this.#escaped) this.#escaped = false;
        else if (byte === 0x5c) this.#escaped = true;
        else if (byte === this.#quote) {
          this.#quote = 0;
          if (this.#depth === 0) return this.#end(i + 1);
        }
      } else if (this.#depth === 0) {
        if (isDelimiter(byte) || isQuote(byte)) return this.#end(i);
      } else if (isQuote(byte)) this.#quote = byte;
      else if (isOpening(byte)) this.#depth += 1;
      else if (isClosing(byte)) {
        this.#depth -= 1;
        if (this.#depth === 0) return this.#end(i + 1);
      }
    }
    return chunk.length;
  }

  #end(at: number): number {
    this.ended = true;
    return at;
  }
}
