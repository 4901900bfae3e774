// SPDX-License-Identifier: Apache-2.0
import type { Access } from './security-descriptor.ts';

/** SYSTEM, Administrators, TrustedInstaller; the owner is judged by itself, and `CREATOR OWNER` is nobody. */
const trusted: ReadonlySet<string> = new Set([
  'S-1-5-18', 'S-1-5-32-544', 'S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464', 'S-1-3-0', 'S-1-3-4',
]);

const names: Readonly<Record<string, string>> = {
  'S-1-1-0': 'Everyone', 'S-1-5-11': 'Authenticated Users', 'S-1-5-32-545': 'Users', 'S-1-5-4': 'Interactive', 'S-1-5-7': 'Anonymous', 'S-1-5-32-547': 'Power Users',
};

/** To write or add data, attributes, to delete what is in a folder or the thing itself, to change rights or owner, and all of it. */
const writing = 2 | 4 | 0x10 | 0x40 | 0x100 | 0x1_0000 | 0x4_0000 | 0x8_0000 | 0x1000_0000 | 0x4000_0000;
/** What of that takes away or exchanges what lies in a folder. Adding to it does not: every user adds to ProgramData and to C:\. */
const exchanging = 0x40 | 0x1_0000 | 0x4_0000 | 0x8_0000 | 0x1000_0000;

export type Role = 'itself' | 'above';

/**
 * Who besides administrators owns a thing or may write to it, as a sentence without its subject; nothing where nobody does. The one
 * rule for all that a service of LocalSystem obeys, believes or runs.
 *
 * @param role of a folder above nothing is asked but that nobody can take away what lies in it
 * @param agent the user that the agent runs as, who is trusted too
 */
export function whyDistrusted({ owner, entries }: Access, role: Role, agent: string): string | undefined {
  const isTrusted = (who: string | undefined): boolean => who !== undefined && (trusted.has(who) || who === agent);
  if (!isTrusted(owner)) return `belongs to ${named(owner)}`;
  if (entries === undefined) return 'has no access list: everybody may do everything with it';
  const mask = role === 'itself' ? writing : exchanging;
  const stranger = entries.find((entry) => !entry.inheritOnly && (entry.mask & mask) !== 0 && !isTrusted(entry.who));
  return stranger === undefined ? undefined : `may be ${role === 'itself' ? 'written' : 'exchanged'} by ${named(stranger.who)}`;
}

const named = (who: string | undefined): string => (who === undefined ? 'nobody' : names[who] === undefined ? who : `${names[who]} (${who})`);
