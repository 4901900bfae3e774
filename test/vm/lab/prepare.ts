// SPDX-License-Identifier: Apache-2.0
/** Once before all files of the suite: fetches what its machines are made of, so that what cannot be had is known before any test is. */
import type { TestProject } from 'vitest/node';
import { baseImage, type Kind } from './base-image.ts';
import { referencePackage } from './guest-packages.ts';
import { qemuSystem } from './host-system.ts';
import { installPackages, missingForLab } from './host.ts';
import type { Lacking } from './lacking.ts';
import { guest, guests, host, hosts } from './pair.ts';
import { reasonToSkip } from './unreachable.ts';

export async function setup({ provide }: TestProject): Promise<void> {
  provide('lacking', await lacking());
}

async function lacking(): Promise<Lacking> {
  const missing = missingForLab();
  if (missing !== undefined) return { base: missing, 'file-systems': missing };
  const steps: readonly (readonly [what: string, kinds: readonly Kind[], step: () => Promise<unknown>])[] = [
    ["the lab's packages", ['base', 'file-systems'], installPackages],
    [`the host ${host} (${hosts[host].what})`, ['base', 'file-systems'], qemuSystem],
    [`the guest ${guest} (${guests[guest].what})`, ['base'], baseImage],
    ['the qemu-guest-agent of this release', ['base'], referencePackage],
    ...(process.env['CONCIERGE_TEST_VM_FILE_SYSTEMS'] === undefined ? [] : [[`the guest ${guest} with all file systems`, ['file-systems'], () => baseImage('file-systems')] as const]),
  ];
  const found: Lacking = {};
  for (const [what, kinds, step] of steps) {
    if (kinds.every((kind) => found[kind] !== undefined)) continue;
    try {
      await step();
    } catch (error) {
      const reason = reasonToSkip(what, error, process.env);
      for (const kind of kinds) found[kind] ??= reason;
    }
  }
  return found;
}
