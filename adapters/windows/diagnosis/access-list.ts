// SPDX-License-Identifier: Apache-2.0
/** Rights of SDDL as the bits that they stand for. */
const rights: Readonly<Record<string, number>> = {
  GA: 0x1000_0000, GR: 0x8000_0000, GW: 0x4000_0000, GX: 0x2000_0000, RC: 0x2_0000, SD: 0x1_0000, WD: 0x4_0000, WO: 0x8_0000,
  CC: 1, DC: 2, LC: 4, SW: 8, RP: 0x10, WP: 0x20, DT: 0x40, LO: 0x80, CR: 0x100,
  FA: 0x1f_01ff, FR: 0x12_0089, FW: 0x12_0116, FX: 0x12_00a0,
};

/** To write data, to add some, to delete, to change rights or owner, and what includes them. */
const writing = 0x5000_0000 | 0x8_0000 | 0x4_0000 | 0x1_0000 | 2 | 4;

/** SYSTEM and Administrators, by both names that SDDL has for each. */
const trusted: ReadonlySet<string> = new Set(['SY', 'BA', 'S-1-5-18', 'S-1-5-32-544']);

/** Who owns a file or may write to it besides SYSTEM and administrators, as SDDL names them. */
export function strangersWith(sddl: string): readonly string[] {
  const found = new Set<string>();
  const owner = /(?:^|\))O:(S-[0-9-]+|[A-Z]{2})/.exec(sddl)?.[1];
  if (owner !== undefined) found.add(owner);
  // No list at all is everything for everybody.
  if (!/D:[A-Z]*\(/.test(sddl) && !/D:P?(?:AI)?$/.test(sddl)) found.add('WD');
  for (const [, kind = '', mask = '', who = ''] of sddl.matchAll(/\((\w+);[^;]*;([^;]*);[^;]*;[^;]*;([^;)]+)/g)) {
    if (kind.includes('A') && (bitsOf(mask) & writing) !== 0) found.add(who);
  }
  return [...found].filter((who) => !trusted.has(who));
}

const bitsOf = (mask: string): number =>
  (/^0x/i.test(mask) ? Number(mask) : (mask.match(/../g) ?? []).reduce((bits, name) => bits | (rights[name] ?? 0), 0));
