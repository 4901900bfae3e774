// SPDX-License-Identifier: Apache-2.0
/** Addresses as text. */

export const ipv4Text = (bytes: Uint8Array): string => bytes.join('.');

/** RFC 5952, which is how URLs are written too. */
export function ipv6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, index) => (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

/** The mask of a prefix length: `255.255.240.0` for 20. */
export const netmaskText = (prefix: number): string =>
  [24, 16, 8, 0].map((shift) => ((0xffff_ffff * 2 ** (32 - prefix)) >>> shift) & 0xff).join('.');
