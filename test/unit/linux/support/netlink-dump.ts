// SPDX-License-Identifier: Apache-2.0
import { endianness } from 'node:os';
import { messageTypes } from '../../../../adapters/linux/facts/netlink.ts';

const little = endianness() === 'LE';

/** Attributes by number: text gets its final zero, bytes are taken as they are. */
export type Attributes = Readonly<Record<number, Uint8Array | string>>;

const padded = (bytes: Uint8Array): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);

function attributeBytes(attributes: Attributes): Buffer {
  return Buffer.concat(
    Object.entries(attributes).map(([type, value]) => {
      const data = typeof value === 'string' ? Buffer.from(`${value}\0`) : value;
      const header = Buffer.alloc(4);
      new DataView(header.buffer, header.byteOffset).setUint16(0, 4 + data.length, little);
      new DataView(header.buffer, header.byteOffset).setUint16(2, Number(type), little);
      return padded(Buffer.concat([header, data]));
    }),
  );
}

function message(type: number, body: Buffer): Buffer {
  const header = Buffer.alloc(16);
  const view = new DataView(header.buffer, header.byteOffset);
  view.setUint32(0, 16 + body.length, little);
  view.setUint16(4, type, little);
  return Buffer.concat([header, body]);
}

/** RTM_NEWLINK: `struct ifinfomsg` and attributes. */
export function linkMessage(index: number, attributes: Attributes): Buffer {
  const header = Buffer.alloc(16);
  new DataView(header.buffer, header.byteOffset).setInt32(4, index, little);
  return message(messageTypes.link, Buffer.concat([header, attributeBytes(attributes)]));
}

/** RTM_NEWADDR: `struct ifaddrmsg` and attributes. */
export function addressMessage(index: number, family: number, prefix: number, attributes: Attributes): Buffer {
  const header = Buffer.from([family, prefix, 0, 0, 0, 0, 0, 0]);
  new DataView(header.buffer, header.byteOffset).setUint32(4, index, little);
  return message(messageTypes.address, Buffer.concat([header, attributeBytes(attributes)]));
}

/** `struct rtnl_link_stats64` from its first counters. */
export function statistics64(counters: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(25 * 8);
  for (const [index, counter] of counters.entries()) new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(index * 8, counter, little);
  return bytes;
}
