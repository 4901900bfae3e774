// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import { HEAD_BYTES, MOST_PACKET } from './protocol.ts';
import { garbage } from './xdr.ts';

/** What has come of packets, in memory that grows with what is there and never with what a length says. */
export class PacketBuffer {
  #memory = Buffer.alloc(0);
  #from = 0;
  #to = 0;

  push(chunk: Buffer): void {
    if (this.#to + chunk.length > this.#memory.length) {
      const held = this.#to - this.#from;
      const memory = Buffer.allocUnsafeSlow(Math.max(2 * held, held + chunk.length));
      this.#memory.copy(memory, 0, this.#from, this.#to);
      [this.#memory, this.#from, this.#to] = [memory, 0, held];
    }
    this.#to += chunk.copy(this.#memory, this.#to);
  }

  /** The next packet that is there whole, its length included. Its memory is its own. @throws ClientError `garbage` for a length that no packet has */
  next(): Buffer | undefined {
    const held = this.#to - this.#from;
    if (held < 4) return undefined;
    const length = this.#memory.readUInt32BE(this.#from);
    if (length < HEAD_BYTES || length > MOST_PACKET) throw garbage(`a packet of ${length} bytes`);
    if (held < length) return undefined;
    const packet = Buffer.from(this.#memory.subarray(this.#from, this.#from + length));
    this.#from += length;
    if (this.#from === this.#to) [this.#memory, this.#from, this.#to] = [Buffer.alloc(0), 0, 0];
    return packet;
  }
}
