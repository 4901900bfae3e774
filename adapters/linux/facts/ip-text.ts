// SPDX-License-Identifier: Apache-2.0
/** Addresses as inet_ntop(3) writes them. */

export const ipv4Text = (bytes: Uint8Array): string => bytes.join('.');

/** Sixteen bytes. The longest run of two or more zero groups, the first of equals, becomes `::` (RFC 5952). */
export function ipv6Text(bytes: Uint8Array): string {
  const groups = Array.from({ length: 8 }, (_, index) => ((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0));
  const run = longestZeroRun(groups);
  // glibc writes ::a.b.c.d and ::ffff:a.b.c.d with the IPv4 address that they embed.
  const embeds = run.start === 0 && (run.length === 6 || (run.length === 5 && groups[5] === 0xffff));
  if (embeds) return `${run.length === 6 ? '::' : '::ffff:'}${ipv4Text(bytes.subarray(12))}`;
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (run.length < 2) return hex(groups);
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let length = 0;
  for (const [index, group] of groups.entries()) {
    length = group === 0 ? length + 1 : 0;
    if (length > best.length) best = { start: index - length + 1, length };
  }
  return best;
}
