// SPDX-License-Identifier: Apache-2.0
import { Buffer } from 'node:buffer';
import { endianness } from 'node:os';

/** Messages of rtnetlink(7) as the kernel dumps them: native byte order, everything aligned to four bytes. */

const little = endianness() === 'LE';

/** RTM_NEWLINK and RTM_NEWADDR. */
export const messageTypes = { link: 16, address: 20 } as const;

/** IFLA_* of linux/if_link.h and IFA_* of linux/if_addr.h. */
const linkAttributes = { address: 1, name: 3, statistics64: 23 } as const;
const addressAttributes = { address: 1, local: 2, label: 3 } as const;

const messageHeaderLength = 16;
const linkHeaderLength = 16;
const addressHeaderLength = 8;
const attributeHeaderLength = 4;
/** The two top bits of an attribute's type are flags (NLA_F_NESTED, NLA_F_NET_BYTEORDER). */
const attributeTypeMask = 0x3fff;

export interface Link {
  readonly index: number;
  readonly name: string;
  /** Empty where the link has none. */
  readonly hardwareAddress: Uint8Array;
  /** The first counters of `struct rtnl_link_stats64` in its order; empty where the kernel sent none. */
  readonly counters: readonly bigint[];
}

export interface LinkAddress {
  /** AF_INET 2, AF_INET6 10; others exist. */
  readonly family: number;
  readonly prefix: number;
  readonly index: number;
  readonly address: Uint8Array;
  /** `eth0` or `eth0:1`; IPv4 only. */
  readonly label: string | undefined;
}

/** Counters of `struct rtnl_link_stats64` that are of use to anybody here; the rest are details of errors. */
const countersRead = 16;

export function links(dump: Uint8Array): Link[] {
  const reader = new DumpReader(dump);
  const found: Link[] = [];
  while (reader.nextMessage(messageTypes.link, linkHeaderLength)) {
    const index = reader.view.getInt32(reader.body + 4, little);
    let name = '';
    let hardwareAddress: Uint8Array = noBytes;
    let counters: readonly bigint[] = noCounters;
    while (reader.nextAttribute()) {
      if (reader.attribute === linkAttributes.name) name = reader.text();
      else if (reader.attribute === linkAttributes.address) hardwareAddress = reader.bytes();
      else if (reader.attribute === linkAttributes.statistics64) counters = reader.counters(countersRead);
    }
    found.push({ index, name, hardwareAddress, counters });
  }
  return found;
}

export function linkAddresses(dump: Uint8Array): LinkAddress[] {
  const reader = new DumpReader(dump);
  const found: LinkAddress[] = [];
  while (reader.nextMessage(messageTypes.address, addressHeaderLength)) {
    const { view, body } = reader;
    let own: Uint8Array | undefined;
    let other: Uint8Array | undefined;
    let label: string | undefined;
    while (reader.nextAttribute()) {
      if (reader.attribute === addressAttributes.local) own = reader.bytes();
      else if (reader.attribute === addressAttributes.address) other = reader.bytes();
      else if (reader.attribute === addressAttributes.label) label = reader.text();
    }
    // With a peer (point to point) `address` is the other side; without one the two are the same or `local` is absent.
    const address = own ?? other;
    if (address === undefined) continue;
    found.push({ family: view.getUint8(body), prefix: view.getUint8(body + 1), index: view.getUint32(body + 4, little), address, label });
  }
  return found;
}

const noBytes = new Uint8Array();
const noCounters: readonly bigint[] = [];
const aligned = (length: number): number => (length + 3) & ~3;

/** Walks over the messages of a dump and the attributes of each. Lengths that point beyond the end end the walk. */
class DumpReader {
  readonly view: DataView;
  readonly #dump: Buffer;
  #nextMessage = 0;
  #end = 0;
  #nextAttribute = 0;
  #from = 0;
  #to = 0;
  /** Where the body of the message at hand begins. */
  body = 0;
  /** Number of the attribute at hand. */
  attribute = 0;

  constructor(dump: Uint8Array) {
    this.#dump = Buffer.from(dump.buffer, dump.byteOffset, dump.byteLength);
    this.view = new DataView(dump.buffer, dump.byteOffset, dump.byteLength);
  }

  nextMessage(type: number, headerLength: number): boolean {
    const { view } = this;
    for (let at = this.#nextMessage; at + messageHeaderLength <= view.byteLength; at = this.#nextMessage) {
      const length = view.getUint32(at, little);
      if (length < messageHeaderLength || at + length > view.byteLength) return false;
      this.#nextMessage = at + aligned(length);
      if (view.getUint16(at + 4, little) !== type || length < messageHeaderLength + headerLength) continue;
      this.body = at + messageHeaderLength;
      this.#end = at + length;
      this.#nextAttribute = this.body + headerLength;
      return true;
    }
    return false;
  }

  nextAttribute(): boolean {
    const at = this.#nextAttribute;
    if (at + attributeHeaderLength > this.#end) return false;
    const length = this.view.getUint16(at, little);
    if (length < attributeHeaderLength || at + length > this.#end) return false;
    this.attribute = this.view.getUint16(at + 2, little) & attributeTypeMask;
    this.#from = at + attributeHeaderLength;
    this.#to = at + length;
    this.#nextAttribute = at + aligned(length);
    return true;
  }

  bytes(): Uint8Array {
    return this.#dump.subarray(this.#from, this.#to);
  }

  /** Up to the first zero. */
  text(): string {
    const zero = this.#dump.indexOf(0, this.#from);
    return this.#dump.toString('utf8', this.#from, zero < 0 || zero > this.#to ? this.#to : zero);
  }

  counters(most: number): bigint[] {
    const counters: bigint[] = [];
    for (let at = this.#from; at + 8 <= this.#to && counters.length < most; at += 8) counters.push(this.view.getBigUint64(at, little));
    return counters;
  }
}
