// SPDX-License-Identifier: Apache-2.0
import { guestPackages, type GuestPackages } from './guest-packages.ts';
import { installPackages } from './host.ts';
import { Machine } from './machine.ts';
import { PATIENCE, PatientHost } from './patient-host.ts';

/** A running guest into which our package is installed, or is about to be, with a host that stays connected. */
export interface InstalledGuest {
  readonly machine: Machine;
  readonly host: PatientHost;
  readonly packages: GuestPackages;
  /** Bash in the guest; resolves to its output. */
  readonly run: (script: string) => Promise<string>;
  readonly until: (condition: string) => Promise<void>;
}

/** Boots the guest with Debian's qemu-guest-agent serving the port. */
export async function guestWithReference(options: { readonly newer?: boolean } = {}): Promise<InstalledGuest> {
  await installPackages();
  const packages = await guestPackages(options);
  const machine = await Machine.boot({ payload: packages.payload });
  const host = new PatientHost(await machine.agent());
  await host.answered();
  return {
    machine,
    host,
    packages,
    run: (script) => machine.shell.run(script, PATIENCE),
    until: (condition) => machine.shell.until(condition, PATIENCE),
  };
}

export const dpkg = (words: string): string => `DEBIAN_FRONTEND=noninteractive dpkg --force-unsafe-io ${words} 2>&1`;
