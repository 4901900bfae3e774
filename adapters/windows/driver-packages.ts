// SPDX-License-Identifier: Apache-2.0
import { readdir } from 'node:fs/promises';

import type { DriverPackage } from '../../core/ports/host.ts';
import { INVALID_HANDLE } from './bindings/kernel32.ts';
import { setupapi } from './bindings/setupapi.ts';
import { windowsDirectory } from './dll.ts';
import { driverVersion } from './driver-image.ts';
import type { Out, Pointer } from './koffi.ts';
import { fileLane } from './lane.ts';
import { textOf } from './layout.ts';

const INF_STYLE_WIN4 = 2;
/** Of the longest line that Windows allows in an INF, and of the longest path. */
const mostCharacters = 32_768;

/** Windows publishes what somebody adds to its store of drivers under a number. What it comes with has none. */
const published = /^oem(\d+)\.inf$/i;
const numberOf = (name: string): number => Number(published.exec(name)?.[1]);

/** Packages of drivers that were added, in the order in which they came. One without a version is none. @throws os error */
export async function driverPackages(): Promise<readonly DriverPackage[]> {
  const folder = `${windowsDirectory()}\\INF`;
  const names = (await fileLane.run(() => readdir(folder))).filter((name) => published.test(name)).toSorted((one, other) => numberOf(one) - numberOf(other));
  const packages: DriverPackage[] = [];
  for (const name of names) packages.push(...await packageOf(name, `${folder}\\${name}`));
  return packages;
}

async function packageOf(name: string, path: string): Promise<readonly DriverPackage[]> {
  const { result: inf } = await fileLane.run(() => setupapi.SetupOpenInfFileW.async(path, null, INF_STYLE_WIN4, [0]));
  // It may have been taken away meanwhile.
  if (inf === INVALID_HANDLE) return [];
  try {
    const version = driverVersion(lineOf(inf, 'DriverVer'));
    const vendor = lineOf(inf, 'Provider').trim();
    const originalName = await originalNameOf(path);
    if (version === '') return [];
    return [{ name, ...(originalName === '' ? {} : { originalName }), version, ...(vendor === '' ? {} : { vendor }) }];
  } finally {
    setupapi.SetupCloseInfFile(inf);
  }
}

/** A line of the section `Version`, which is in memory by now, with the texts that it names; '' where there is none. */
function lineOf(inf: Pointer, key: string): string {
  const into = Buffer.alloc(2 * mostCharacters);
  return setupapi.SetupGetLineTextW(null, inf, 'Version', key, into, mostCharacters, [0]) === 0 ? '' : textOf(into);
}

/** The file in the store has the name that its maker gave it. */
async function originalNameOf(path: string): Promise<string> {
  const into = Buffer.alloc(2 * mostCharacters);
  const needed: Out<number> = [0];
  const { result } = await fileLane.run(() => setupapi.SetupGetInfDriverStoreLocationW.async(path, null, null, into, mostCharacters, needed));
  return result === 0 ? '' : textOf(into).replace(/^.*\\/, '');
}
