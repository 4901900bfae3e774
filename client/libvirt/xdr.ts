// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';

import { ClientError } from '../client-error.ts';

/** External Data Representation (RFC 4506) as far as libvirt's RPC needs it: everything stands on four bytes, numbers are big-endian. */
export class XdrWriter {
  readonly #parts: Buffer[] = [];

  int(value: number): this {
    const part = Buffer.allocUnsafe(4);
    part.writeInt32BE(value);
    this.#parts.push(part);
    return this;
  }

  /** Bytes of a length that both sides know. */
  fixed(bytes: Uint8Array): this {
    this.#parts.push(Buffer.from(bytes));
    return this.#pad(bytes.length);
  }

  text(value: string): this {
    const bytes = Buffer.from(value);
    return this.int(bytes.length).fixed(bytes);
  }

  /** What may be absent stands behind a number that says whether it is there. */
  optionalText(value: string | undefined): this {
    return value === undefined ? this.int(0) : this.int(1).text(value);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #pad(length: number): this {
    if (length % 4 !== 0) this.#parts.push(Buffer.alloc(4 - (length % 4)));
    return this;
  }
}

/** Reads what the other side sent, which may be anything: no length is believed beyond what is there. */
export class XdrReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** @throws ClientError `garbage`, as all of these */
  int(): number {
    return this.fixed(4).readInt32BE();
  }

  fixed(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw garbage(`it ends at byte ${this.#bytes.length} within something of ${length} bytes`);
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = Math.min(this.#bytes.length, end + ((4 - (length % 4)) % 4));
    return bytes;
  }

  /** Bytes behind their length. */
  opaque(): Buffer {
    const length = this.int();
    if (length < 0) throw garbage(`a length of ${length >>> 0} bytes`);
    return this.fixed(length);
  }

  text(): string {
    return this.opaque().toString('utf8');
  }

  optional<T>(read: () => T): T | undefined {
    const isThere = this.int();
    if (isThere !== 0 && isThere !== 1) throw garbage(`${isThere} where 0 or 1 says whether there is something`);
    return isThere === 1 ? read() : undefined;
  }

  /** @param bytesOfOne the fewest that one element takes */
  list<T>(bytesOfOne: number, read: () => T): readonly T[] {
    const count = this.int();
    if (count < 0 || count * bytesOfOne > this.#bytes.length - this.#at) throw garbage(`a list of ${count >>> 0}`);
    return Array.from({ length: count }, read);
  }
}

export const garbage = (what: string): ClientError => new ClientError('garbage', `the libvirt daemon sent something that is no answer: ${what}`);
