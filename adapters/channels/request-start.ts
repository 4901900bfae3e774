// SPDX-License-Identifier: Apache-2.0
const lineFeed = 0x0a;
const apostrophe = 0x27;

/**
 * Tells whether a chunk from a port is the start of a request, so that nothing before it can be the first half of one.
 *
 * virtio_console tells of a host's leaving in a control message that another queue carries: where the next host is quick, its
 * bytes are read before anybody knows. But one read(2) never joins what two hosts wrote, and these words in double quotes stand
 * nowhere in a request but at its start: within a text in double quotes its quotes would be escaped. A text in single quotes
 * may have them, so that nothing is taken for a start after an apostrophe in the same line.
 */
export class RequestStart {
  #quoted = false;

  /** To be asked of each chunk, in order. */
  isIn(chunk: Buffer): boolean {
    const begins = !this.#quoted && /^\s*\{\s*"(?:execute|arguments)"/.test(chunk.toString('latin1', 0, 32));
    const line = chunk.lastIndexOf(lineFeed);
    this.#quoted = chunk.indexOf(apostrophe, line + 1) !== -1 || (line === -1 && this.#quoted);
    return begins;
  }

  /** Another host: what came before is void. */
  forget(): void {
    this.#quoted = false;
  }
}
