// SPDX-License-Identifier: Apache-2.0
/**
 * On which host and with which guest the machines of this suite run: `CONCIERGE_TEST_VM_HOST` and `CONCIERGE_TEST_VM_GUEST`,
 * which `node test/vm/run.ts --host=… --guest=…` sets.
 */

/** A host is QEMU and libvirt of a release of Debian; that of this machine's own release is what is installed. */
export const hosts = {
  bookworm: { suite: 'bookworm', what: "this machine's own, Debian 12: QEMU 7.2, libvirt 9.0" },
  trixie: { suite: 'trixie', what: 'Debian 13: QEMU 10.0, libvirt 11.3' },
  'trixie-backports': { suite: 'trixie-backports', what: "Debian 13's backports: QEMU 11.1, libvirt 12.9" },
} as const;

/** A guest is a release of Debian, and the suite from which it has its kernel and its qemu-guest-agent. */
export const guests = {
  '6.1': { base: 'bookworm', suite: 'bookworm', what: 'Debian 12, kernel 6.1' },
  '6.12': { base: 'trixie', suite: 'trixie', what: 'Debian 13, kernel 6.12' },
  '7.3': { base: 'trixie', suite: 'trixie-backports', what: "Debian 13, kernel 7.3 of its backports" },
} as const;

export type HostName = keyof typeof hosts;
export type GuestName = keyof typeof guests;

/** @throws with the names there are where it is none of them */
export function theOne<Name extends string>(what: string, among: Readonly<Record<Name, unknown>>, wanted: string): Name {
  const found = Object.keys(among).find((name) => name === wanted);
  if (found === undefined) throw new Error(`${what} ${wanted}: it is one of ${Object.keys(among).join(', ')}`);
  return found as Name;
}

export const host: HostName = theOne('host', hosts, process.env['CONCIERGE_TEST_VM_HOST'] ?? 'bookworm');
export const guest: GuestName = theOne('guest', guests, process.env['CONCIERGE_TEST_VM_GUEST'] ?? '6.1');
