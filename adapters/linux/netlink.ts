import { endianness } from 'node:os';

import { textFromBytes } from './text.ts';

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
  /** The counters of `struct rtnl_link_stats64` in its order; empty where the kernel sent none. */
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

export function* links(dump: Uint8Array): Generator<Link> {
  for (const body of messages(dump, messageTypes.link)) {
    const attributes = attributesOf(body, linkHeaderLength);
    yield {
      index: view(body).getInt32(4, little),
      name: zeroTerminated(attributes.get(linkAttributes.name)) ?? '',
      hardwareAddress: attributes.get(linkAttributes.address) ?? new Uint8Array(),
      counters: counters(attributes.get(linkAttributes.statistics64)),
    };
  }
}

export function* linkAddresses(dump: Uint8Array): Generator<LinkAddress> {
  for (const body of messages(dump, messageTypes.address)) {
    const attributes = attributesOf(body, addressHeaderLength);
    // With a peer (point to point) `address` is the other side; without one the two are the same or `local` is absent.
    const address = attributes.get(addressAttributes.local) ?? attributes.get(addressAttributes.address);
    if (address === undefined) continue;
    yield {
      family: body[0] ?? 0,
      prefix: body[1] ?? 0,
      index: view(body).getUint32(4, little),
      address,
      label: zeroTerminated(attributes.get(addressAttributes.label)),
    };
  }
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const aligned = (length: number): number => (length + 3) & ~3;

function* messages(dump: Uint8Array, type: number): Generator<Uint8Array> {
  const all = view(dump);
  for (let offset = 0; offset + messageHeaderLength <= dump.length; ) {
    const length = all.getUint32(offset, little);
    if (length < messageHeaderLength || offset + length > dump.length) return;
    if (all.getUint16(offset + 4, little) === type) yield dump.subarray(offset + messageHeaderLength, offset + length);
    offset += aligned(length);
  }
}

function attributesOf(body: Uint8Array, headerLength: number): Map<number, Uint8Array> {
  const attributes = new Map<number, Uint8Array>();
  const all = view(body);
  for (let offset = headerLength; offset + attributeHeaderLength <= body.length; ) {
    const length = all.getUint16(offset, little);
    if (length < attributeHeaderLength || offset + length > body.length) break;
    attributes.set(all.getUint16(offset + 2, little) & attributeTypeMask, body.subarray(offset + attributeHeaderLength, offset + length));
    offset += aligned(length);
  }
  return attributes;
}

function zeroTerminated(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  const end = bytes.indexOf(0);
  return textFromBytes(end < 0 ? bytes : bytes.subarray(0, end));
}

function counters(bytes: Uint8Array | undefined): bigint[] {
  if (bytes === undefined) return [];
  const all = view(bytes);
  return Array.from({ length: Math.floor(bytes.length / 8) }, (_, index) => all.getBigUint64(index * 8, little));
}
