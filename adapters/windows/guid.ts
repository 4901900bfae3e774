// SPDX-License-Identifier: Apache-2.0
/** The 16 bytes of a GUID as Windows has them in memory: the first three groups are little-endian numbers. */
export function guidBytes(text: string): Buffer {
  const digits = text.replaceAll(/[{}-]/g, '');
  if (!/^[0-9a-f]{32}$/i.test(digits)) throw new TypeError(`not a GUID: ${text}`);
  const bytes = Buffer.from(digits, 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}

/** `{3629D4ED-EE09-4E0E-9A5C-6D8BA2872AEF}` */
export function guidText(bytes: Uint8Array): string {
  const swapped = Buffer.from(bytes.subarray(0, 16));
  swapped.subarray(0, 4).reverse();
  swapped.subarray(4, 6).reverse();
  swapped.subarray(6, 8).reverse();
  const digits = swapped.toString('hex').toUpperCase();
  return `{${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}}`;
}
